// The errors that callers meet. `code` is the protocol's (section 6) or one of the client's own:
// "disconnected", "queue_full", "timeout", "too_large", "stopped", "closed", "user_changed".

/** A command that did not succeed; `temporary` says whether the same one may succeed later. */
export class CommandError extends Error {
  constructor(code, message, { temporary = false, retryAfterMs = null } = {}) {
    super(message);
    this.name = "CommandError";
    this.code = code;
    this.temporary = temporary;
    this.retryAfterMs = retryAfterMs;
  }

  /** From the `error` object of a reply; every field may be missing. */
  static fromReply(error) {
    const known = error !== null && typeof error === "object" ? error : {};
    return new CommandError(
      typeof known.code === "string" ? known.code : "internal",
      typeof known.message === "string" ? known.message : "the server gave no message",
      {
        temporary: known.temporary === true,
        retryAfterMs: Number.isFinite(known.retry_after_ms) ? known.retry_after_ms : null,
      },
    );
  }
}

/** The server said something that the protocol does not allow; reported, never thrown. */
export class ProtocolError extends Error {
  constructor(message, frame) {
    super(message);
    this.name = "ProtocolError";
    this.frame = frame;
  }
}
