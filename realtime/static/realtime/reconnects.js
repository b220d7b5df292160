// When to try again: the policy, apart from the socket that it is for.
import { retryAfterOf } from "./closing.js";
import { Backoff, boundedRetryAfter } from "./timing.js";

/**
 * A connection counts as good after it was authenticated and lived this long. A server that accepts
 * and then falls over (a crash loop, an overload) would otherwise see every client at 0.5 s again.
 */
const STABLE_MS = 10_000;

export class Reconnects {
  #clock;
  #backoff;
  #announcedUntil = null;
  #notBefore = 0;

  constructor(clock, random) {
    this.#clock = clock;
    this.#backoff = new Backoff(random);
  }

  /** How often in a row, without a good connection between. */
  get attempt() {
    return this.#backoff.attempt;
  }

  /** True when the server asked for a delay that is not over; nothing may cut that short. */
  get ordered() {
    return this.#notBefore > this.#clock.now();
  }

  /** The person asks for a connection: forget the past. */
  restart() {
    this.#backoff.reset();
    this.#notBefore = 0;
  }

  opening() {
    this.#announcedUntil = null;
  }

  /** A server_shutdown; the socket is used until it is closed. */
  announced(ms) {
    this.#announcedUntil = this.#clock.now() + boundedRetryAfter(ms);
  }

  /**
   * A socket was lost with `code` and `text`; `authenticatedAt` (ms) is null when it never was.
   * Returns the delay until the next attempt in ms.
   */
  lost(code, text, authenticatedAt) {
    const now = this.#clock.now();
    if (authenticatedAt !== null && now - authenticatedAt >= STABLE_MS) this.#backoff.reset();
    const first = authenticatedAt !== null && this.#backoff.attempt === 0;
    const jitterMs = this.#backoff.nextMs();
    const announced = code === 1012 ? this.#announcedUntil : null;
    // The announced delay was different for every client and is over: at once. But only from a good
    // connection: a draining node that we reached by mistake closes us right away, and there the
    // rest of its delay counts, or this would be a tight loop.
    if (announced !== null && first) {
      this.#notBefore = 0;
      return 0;
    }
    this.#notBefore = Math.max(now + boundedRetryAfter(retryAfterOf(text)), announced ?? 0);
    return this.#notBefore - now + jitterMs;
  }
}
