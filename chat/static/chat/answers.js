// The runs of the AI in an open room: stopping them, running them again, and asking for lost text.
import { holes } from "./runs.js";

export class Answers {
  #client;
  #rest;
  #path;
  #dispatch;
  #asking = false;

  /** `path` is that of the project in the API; `dispatch(action)` changes the room's state. */
  constructor(client, rest, path, dispatch) {
    this.#client = client;
    this.#rest = rest;
    this.#path = path;
    this.#dispatch = dispatch;
  }

  /** Throws CommandError. */
  async stop(run) {
    await this.#client.command("cancel_run", { run });
  }

  /** Throws Problem. */
  async again(run) {
    await this.#rest.post(`${this.#path}runs/${run}/again/`, {});
  }

  /** Progress was lost: ask how the run stands, one at a time; the next delta asks again. */
  async fillHoles(runs) {
    const [run] = holes(runs);
    if (run === undefined || this.#asking) return;
    this.#asking = true;
    try {
      this.#dispatch({ type: "run", run: await this.#client.command("run", { run }) });
    } catch (error) {
      console.debug("run:", error.message);
    } finally {
      this.#asking = false;
    }
  }
}
