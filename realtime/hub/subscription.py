"""One reader of one stream: a cursor, and the rule that it only ever moves by one."""

from collections.abc import Sequence
from enum import Enum, auto
from typing import TYPE_CHECKING, Protocol

from realtime.log.entries import Entry, ends_rights_of

if TYPE_CHECKING:
    from realtime.hub.audience import Block, Direct
    from realtime.hub.stream import HubStream


class SubscriptionState(Enum):
    LIVE = auto()  # gets what arrives
    CATCHING_UP = auto()  # reads the log, at the pace of its reader
    ENDED = auto()  # gets nothing any more


class Sink(Protocol):
    """What a subscription writes to: a socket, a watch, a long poll. No method ever waits."""

    @property
    def user_id(self) -> int: ...

    @property
    def credential(self) -> str: ...

    @property
    def writable(self) -> bool:
        """False while the reader lags: then it is caught up from the log later."""

    @property
    def direct(self) -> "Direct | None":
        """The socket itself, for fan-outs that write to it without asking the sink. When its
        descriptor changes, the sink first calls `leave_block` of all its subscriptions."""

    def write_nowait(self, frames: Sequence[bytes]) -> None: ...

    def catch_up(self, subscription: "Subscription") -> None:
        """Read the log for this subscription until `go_live` says that it is level."""

    def lost(self, subscription: "Subscription", entry: Entry) -> None:
        """The right to read ended with `entry`; nothing from there on was or will be written."""

    def reset(self, subscription: "Subscription", reason: str) -> None:
        """The subscription ended because its position means nothing any more."""


# Those that are being caught up, of all streams: of thousands that are level a few, as a rule.
catching_up: set["Subscription"] = set()


class Subscription:
    """Frames reach the sink in seq order, each once, and none after the right to read ended.

    cursor: the last seq written; authorized_at: the head at which the right to read was checked,
    in the same database snapshot; target: catch up at least to here; block: the one that holds
    its cursor now, set by the audience.
    """

    __slots__ = (
        "_cursor",
        "acked",
        "authorized_at",
        "block",
        "sink",
        "state",
        "stream",
        "target",
    )

    def __init__(
        self, stream: "HubStream", sink: Sink, *, cursor: int, authorized_at: int, target: int
    ) -> None:
        self.stream = stream
        self.sink = sink
        self.block: Block | None = None
        self._cursor = cursor
        self.acked = cursor
        self.authorized_at = authorized_at
        self.target = target
        self.state = SubscriptionState.CATCHING_UP

    @property
    def cursor(self) -> int:
        return self._cursor if self.block is None else self.block.cursor

    @cursor.setter
    def cursor(self, seq: int) -> None:
        """To be moved only outside a block."""
        self._cursor = seq

    def leave_block(self) -> None:
        self.stream.audience.release(self)

    def start(self) -> None:
        """Join the stream: live at once when level with it, else by catching up."""
        self.stream.audience.add(self)
        if not self.go_live():
            catching_up.add(self)
            self.sink.catch_up(self)

    def go_live(self) -> bool:
        """Become live if nothing is missing; no await lies between the look and the change."""
        if self.state is SubscriptionState.ENDED:
            return False
        if self.cursor < max(self.target, self.stream.last):
            return False
        self.state = SubscriptionState.LIVE
        catching_up.discard(self)
        return True

    def take_live(self, first: int, entries: Sequence[Entry], frames: Sequence[bytes]) -> bool:
        """A fan-out of `first` to the newest, to one that is in no block; written only where it
        joins the cursor. Whether the subscription is live, and level with it."""
        if self.state is not SubscriptionState.LIVE:
            return False
        cursor, last = self._cursor, first + len(entries) - 1
        if cursor >= last:
            return cursor == last
        if cursor < first - 1 or not self.sink.writable:
            self.fall_behind()
            return False
        skip = cursor - first + 1
        return self._write(entries[skip:] if skip else entries, frames[skip:] if skip else frames)

    def take_page(self, entries: Sequence[Entry]) -> bool:
        """A page of the log; False when it does not begin at cursor + 1."""
        following = [entry for entry in entries if entry.seq > self.cursor]
        if not following or following[0].seq != self.cursor + 1:
            return False
        self._write(following, [entry.frame or b"" for entry in following])
        return True

    def _write(self, entries: Sequence[Entry], frames: Sequence[bytes]) -> bool:
        """False where the right to read ended within them."""
        for index, entry in enumerate(entries):
            if entry.ends is not None and self._ends_here(entry):
                if index:
                    self._cursor = entries[index - 1].seq
                    self.sink.write_nowait(frames[:index])
                self.end()
                self.sink.lost(self, entry)
                return False
        self._cursor = entries[-1].seq
        self.sink.write_nowait(frames)
        return True

    def _ends_here(self, entry: Entry) -> bool:
        return (
            entry.ends is not None
            and entry.seq > self.authorized_at
            and ends_rights_of(entry.ends, self.sink.user_id, self.sink.credential)
        )

    def fall_behind(self) -> None:
        if self.state is SubscriptionState.LIVE:
            self.leave_block()
            self.state = SubscriptionState.CATCHING_UP
            catching_up.add(self)
            self.sink.catch_up(self)

    def take_signals(self, frames: Sequence[bytes]) -> None:
        """Signals are the first to be dropped: a reader that lags or catches up gets none."""
        if self.state is SubscriptionState.LIVE and self.sink.writable:
            self.sink.write_nowait(frames)

    def end(self) -> None:
        self.state = SubscriptionState.ENDED
        catching_up.discard(self)
        self.stream.audience.discard(self)
        self.stream.left()

    def reset(self, reason: str) -> None:
        if self.state is not SubscriptionState.ENDED:
            self.end()
            self.sink.reset(self, reason)
