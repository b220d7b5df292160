"""What the core counts."""

from realtime.metrics.kinds import LONG_BUCKETS_S, Counter, Histogram
from realtime.protocol.codes import CloseCode

CONNECTS = Counter("connects", "sockets that were let in")
CLOSES = Counter("closes", "sockets that ended, by close code", "code")
REFUSED = Counter("refused", "sockets that were not let in, by close code", "code")
COMMANDS = Counter("commands", "commands of clients that were carried out or refused", "command")
COMMAND_ERRORS = Counter(
    "command_errors", "commands that were answered with an error", "command", "code"
)
COMMAND_S = Histogram("command_seconds", "from the start of a command to its reply")
PUBLISHED = Counter("events_published", "events that were committed", "type")
SIGNALS = Counter("signals_published", "signals that were made", "type")
DELIVERIES = Counter("deliveries", "events and signals written to sockets, at each socket")
FAN_OUT_S = Histogram("fan_out_seconds", "from the first to the last socket of a node, per batch")
COMMIT_TO_WRITE_S = Histogram(
    "commit_to_write_seconds", "from a commit to the write to the last socket of a node"
)
HEALED = Counter("events_healed", "events that were read because no hint brought them in time")
REPLAYS = Counter("replays", "subscriptions that were caught up", "source")
RESETS = Counter("resets", "subscriptions whose position meant nothing any more", "reason")
JOBS_ENDED = Counter("jobs_ended", "attempts of jobs, by how they ended", "job", "end")
JOB_S = Histogram("job_seconds", "attempts of jobs", LONG_BUCKETS_S)

NO_COMMAND = "none"  # what was no command that there is
_CODES = {str(int(code)) for code in CloseCode} | {str(code) for code in range(1000, 1016)}


def code_label(code: int | None) -> str:
    """Peers may send any of four thousand codes: what we do not know is one of them."""
    label = str(1006 if code is None else int(code))
    return label if label in _CODES else "other"
