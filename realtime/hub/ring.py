"""The newest entries of a stream, in memory."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from realtime.log.entries import Entry
from realtime.protocol.batch import Batch

MAX_ENTRIES = 256
MAX_BYTES = 1_048_576
# Positions at which a crowd resumes; above it they are made anew.
MISSED_KEPT = 8
MISSED_BYTES = 262_144  # more goes in pages, at the pace of each reader


class Missed(NamedTuple):
    """All that follows a seq, up to the newest; `ends_rights`: somebody's do on the way."""

    last: int
    frames: Batch
    ends_rights: bool


class Ring:
    """Contiguous entries, every one with its frame. The oldest go when a bound is reached."""

    __slots__ = ("_bytes", "_entries", "_missed")

    def __init__(self) -> None:
        # A person's own stream hardly ever has one. (An empty deque would take 700 bytes.)
        self._entries: list[Entry] | tuple[()] = ()
        self._bytes = 0
        self._missed: dict[int, Missed] | None = None

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def first(self) -> int | None:
        return self._entries[0].seq if self._entries else None

    def clear(self) -> None:
        self._entries = ()
        self._bytes = 0
        self._missed = None

    def extend(self, entries: Iterable[Entry]) -> None:
        """Entries that follow the newest one here without a hole; a hole empties the ring first."""
        self._missed = None
        for entry in entries:
            if self._entries and entry.seq != self._entries[-1].seq + 1:
                self.clear()
            self._written().append(entry)
            self._bytes += len(entry.frame or b"")
            # One large entry may be worth several small ones.
            while len(self._entries) > MAX_ENTRIES or self._bytes > MAX_BYTES:
                self._drop_first()

    def drop_up_to(self, seq: int) -> None:
        """Forget everything up to `seq`: its text was deleted."""
        while self._entries and self._entries[0].seq <= seq:
            self._drop_first()

    def reaches(self, seq: int) -> bool:
        """Whether everything above `seq` is here."""
        first = self.first
        return first is not None and seq >= first - 1

    def after(self, seq: int) -> Sequence[Entry] | None:
        """The entries above `seq`; None when the ring does not reach back that far."""
        first = self.first
        if first is None or seq < first - 1:
            return None
        return self._entries[seq - first + 1 :]

    def missed(self, seq: int) -> Missed | None:
        """The same in the form in which a crowd that resumes at `seq` shares it: made for the first
        one, kept until the ring changes or `let_go` is called. None also when nothing follows, or
        more than 256 KiB."""
        kept = self._missed
        if kept is not None and (found := kept.get(seq)) is not None:
            return found
        entries = self.after(seq)
        if not entries or sum(len(entry.frame or b"") for entry in entries) > MISSED_BYTES:
            return None
        if kept is None or len(kept) >= MISSED_KEPT:
            kept = self._missed = {}
        kept[seq] = Missed(
            entries[-1].seq,
            Batch([entry.frame or b"" for entry in entries]),
            any(entry.ends is not None for entry in entries),
        )
        return kept[seq]

    def let_go(self) -> None:
        """To be called every few seconds: a crowd comes at once, and its frames are large."""
        self._missed = None

    def _drop_first(self) -> None:
        self._missed = None
        self._bytes -= len(self._written().pop(0).frame or b"")

    def _written(self) -> list[Entry]:
        if isinstance(self._entries, tuple):
            self._entries = []
        return self._entries
