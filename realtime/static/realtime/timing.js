// Clock and back-off. Everything that waits goes through a Clock, so that tests need not wait.

/** Wall time, because it also moves while a laptop sleeps; performance.now() may not. */
export const systemClock = {
  now: () => Date.now(),
  setTimeout: (callback, ms) => globalThis.setTimeout(callback, ms),
  clearTimeout: (timer) => globalThis.clearTimeout(timer),
};

const FIRST_MS = 500;
const CEILING_MS = 30_000;

/** setTimeout fires at once above 2^31 ms, so what a server asks for is bounded well below. */
const RETRY_AFTER_MAX_MS = 600_000;

/** What a server asked us to wait, in ms, never negative and at most ten minutes. */
export function boundedRetryAfter(ms) {
  return Number.isFinite(ms) ? Math.min(Math.max(ms, 0), RETRY_AFTER_MAX_MS) : 0;
}

/**
 * Exponential back-off with full jitter: the n-th delay is uniform in [0, min(30 s, 0.5 s * 2^n)).
 * Full, because thousands of clients lose the same server in the same millisecond.
 */
export class Backoff {
  constructor(random) {
    this.random = random;
    this.attempt = 0;
  }

  nextMs() {
    // The exponent is bounded too: 2 ** 1024 is Infinity, and 0 * Infinity is NaN.
    const ceiling = Math.min(CEILING_MS, FIRST_MS * 2 ** Math.min(this.attempt, 16));
    this.attempt += 1;
    return Math.floor(this.random() * ceiling);
  }

  reset() {
    this.attempt = 0;
  }
}
