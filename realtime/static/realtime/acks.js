// Acknowledgements: cumulative, one command for all streams, at most one a second.
import { boundedRetryAfter } from "./timing.js";

const INTERVAL_MS = 1_000;

export class Acks {
  #clock;
  #request;
  #moved = new Set();
  #timer = null;
  #underWay = false;

  /** `request(cmd, fields, options)` as Commands.request. */
  constructor(clock, request) {
    this.#clock = clock;
    this.#request = request;
  }

  /** A subscription's cursor moved. The second counts from here, so that a burst is one ack. */
  moved(subscription) {
    this.#moved.add(subscription);
    this.#schedule(INTERVAL_MS);
  }

  /** Send now what is due; used before an unsubscribe, a close, and by the timer. */
  flush() {
    this.#cancel();
    // One that is subscribing again acknowledges itself by its position.
    const sent = [...this.#moved].filter((subscription) => subscription.live);
    this.#moved.clear();
    if (sent.length === 0) return;
    const cursors = Object.fromEntries(sent.map(({ stream, position }) => [stream, position.seq]));
    this.#underWay = true;
    this.#request("ack", { cursors }, {
      urgent: true,
      onOk: () => this.#ended(INTERVAL_MS),
      onError: (error) => {
        // Repeated only where that cures anything. After a lost connection it does not: the
        // position of the next subscribe acknowledges itself.
        if (error.temporary && error.code !== "disconnected") {
          for (const subscription of sent) this.#moved.add(subscription);
        }
        this.#ended(Math.max(INTERVAL_MS, boundedRetryAfter(error.retryAfterMs)));
      },
    });
  }

  /** The socket is gone, and with it everything that was due. */
  drop() {
    this.#cancel();
    this.#moved.clear();
  }

  #ended(nextMs) {
    this.#underWay = false;
    if (this.#moved.size > 0) this.#schedule(nextMs);
  }

  #schedule(ms) {
    if (this.#timer !== null || this.#underWay) return;
    this.#timer = this.#clock.setTimeout(() => this.flush(), ms);
  }

  #cancel() {
    this.#clock.clearTimeout(this.#timer);
    this.#timer = null;
  }
}
