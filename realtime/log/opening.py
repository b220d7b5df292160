"""What a reader finds at the door of a stream: the right to read, the head, the state if wanted."""

from dataclasses import dataclass
from typing import Any, Literal

from pydantic_core import to_json

from realtime import registry
from realtime.database import snapshot
from realtime.log.reading import StreamState, stream_state
from realtime.protocol.errors import NotFound
from realtime.protocol.positions import Position
from realtime.protocol.streams import StreamName

MAX_SNAPSHOT_BYTES = 524_288
UNREADABLE = "expected a stream that you may read, got none by that name"


@dataclass(frozen=True, slots=True)
class Opening:
    """What one database snapshot says.

    recovered: None without a position; reason: why a position was not recovered; runs: what is
    under way, beside a snapshot.
    """

    state: StreamState
    recovered: bool | None
    reason: Literal["epoch", "trimmed"] | None
    snapshot: dict[str, Any] | None
    runs: list[dict[str, Any]] | None = None


def read_opening(
    user: Any, name: StreamName, since: Position | None, *, want_snapshot: bool
) -> Opening:
    """Synchronous, one snapshot (the caller's, where it holds one).

    Raises NotFound, with one text for a stream that may not be read and one that does not exist.
    """
    with snapshot():
        if not registry.may_read(user, name):
            raise NotFound(UNREADABLE)
        try:
            state = stream_state(str(name))
        except NotFound as error:
            raise NotFound(UNREADABLE) from error
        reason = not_recovered(state, since)
        recovered = None if since is None else reason is None
        wanted = want_snapshot if recovered is None else not recovered
        content = cut(registry.snapshot_of(user, name)) if wanted else None
        runs = registry.runs_of(user, name) if wanted else None
        return Opening(state, recovered, reason, content, runs)


def not_recovered(state: StreamState, since: Position | None) -> Literal["epoch", "trimmed"] | None:
    """Why events cannot simply follow the position: `epoch`, `trimmed`, or None if they can."""
    if since is None:
        return None
    if since.epoch != state.epoch or since.seq > state.head:
        return "epoch"
    return "trimmed" if since.seq < state.floor else None


def cut(state: dict[str, Any]) -> dict[str, Any]:
    """At most 512 KiB: the older half of the largest list goes until it fits, and `cut` says so."""
    sizes = {name: len(to_json(value)) for name, value in state.items()}
    while sum(sizes.values()) > MAX_SNAPSHOT_BYTES:
        lists = [name for name, value in state.items() if isinstance(value, list) and value]
        if not lists:
            break
        name = max(lists, key=sizes.__getitem__)
        kept = state[name][(len(state[name]) + 1) // 2 :]
        state = {**state, name: kept, "cut": True}
        sizes[name] = len(to_json(kept))
    return state
