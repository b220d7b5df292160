"""A page of a stream's log for one reader, read in one database snapshot. Synchronous."""

from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic_core import to_json

from realtime import registry
from realtime.database import snapshot
from realtime.log.entries import Entry
from realtime.log.opening import UNREADABLE, cut, read_opening
from realtime.log.reading import StreamState, entries_after
from realtime.protocol.errors import BadRequest, NotFound
from realtime.protocol.positions import Position
from realtime.protocol.streams import StreamName


@dataclass(frozen=True, slots=True)
class LogPage:
    """`since` is None where only the head was asked for; `reason` says why it is of no use."""

    state: StreamState
    since: Position | None
    entries: list[Entry] = field(default_factory=list)
    reason: Literal["epoch", "trimmed"] | None = None
    present: dict[str, Any] | None = None

    @property
    def waits(self) -> bool:
        """Whether there is nothing after `since` yet, so that a long poll makes sense."""
        return self.since is not None and self.reason is None and not self.entries

    def as_json(self) -> bytes:
        """Frames are written as they are stored: nothing here decodes them."""
        more = bool(self.entries) and self.entries[-1].seq < self.state.head
        parts = [b'{"epoch":', to_json(self.state.epoch), b',"head":', to_json(self.state.head)]
        if self.since is not None:
            parts += [b',"recovered":', to_json(self.reason is None)]
        if self.reason is not None:
            parts += [b',"reason":', to_json(self.reason), b',"snapshot":', to_json(self.present)]
        parts += [b',"events":[', b",".join(entry.frame or b"" for entry in self.entries)]
        parts += [b'],"more":', to_json(more), b"}"]
        return b"".join(parts)


def log_page(user: Any, stream: str, since: Position | None, limit: int) -> LogPage:
    """What `user` gets to see after `since`; right, head and events are of one commit.

    Raises NotFound, with one text for a stream that may not be read and one that does not exist.
    """
    try:
        name = StreamName.parse(stream)
    except BadRequest as error:
        raise NotFound(UNREADABLE) from error
    with snapshot():
        opening = read_opening(user, name, since, want_snapshot=False)
        state = opening.state
        if since is None:
            return LogPage(state, None)
        if opening.reason is not None:
            return LogPage(state, since, [], opening.reason, opening.snapshot)
        entries = entries_after(state.id, since.seq, limit=limit)
        # A page begins at the cursor + 1, or something is missing that `floor` does not tell of.
        if entries and entries[0].seq != since.seq + 1:
            present = cut(registry.snapshot_of(user, name))
            return LogPage(state, since, [], "trimmed", present)
        return LogPage(state, since, entries)
