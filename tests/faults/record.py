"""What each client was sent, what each writer was told, and how both compare with the log.

Pure: no I/O and nothing of the project's own code, so that a mistake there cannot hide itself.
"""

import hashlib
from array import array
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any


def digest(text: str | bytes) -> int:
    """64 bits of a frame's text."""
    data = text.encode() if isinstance(text, str) else text
    return int.from_bytes(hashlib.blake2b(data, digest_size=8).digest(), "big")


def identity(frame: Mapping[str, Any]) -> int:
    """What stays of a frame when its text is blanked later."""
    return digest("|".join(str(frame[name]) for name in ("stream", "seq", "id", "type", "ts")))


@dataclass
class Stretch:
    """Frames of one subscription and of those that resumed it: `start` is the seq known before."""

    epoch: str
    start: int
    seqs: "array[int]" = field(default_factory=lambda: array("Q"))
    identities: "array[int]" = field(default_factory=lambda: array("Q"))
    digests: "array[int]" = field(default_factory=lambda: array("Q"))

    def add(self, frame: Mapping[str, Any], text: str) -> None:
        self.seqs.append(frame["seq"])
        self.identities.append(identity(frame))
        self.digests.append(digest(text))

    @property
    def cursor(self) -> int:
        """The highest seq seen, as a client keeps it."""
        return max(self.start, self.seqs[-1]) if self.seqs else self.start


@dataclass(frozen=True)
class LogRow:
    """An event as it stands in the database. `blanked`: its text may have been taken since."""

    seq: int
    identity: int
    digest: int
    blanked: bool
    type: str
    ref: tuple[int, str] | None = None  # author and client_ref of a new message
    message: int | None = None


@dataclass(frozen=True)
class StreamLog:
    """A stream read straight from the database. Raises ValueError where it is no log."""

    name: str
    epoch: str
    head: int
    rows: Mapping[int, LogRow]

    def __post_init__(self) -> None:
        if sorted(self.rows) != list(range(1, self.head + 1)):
            raise ValueError(
                f"{self.name}: expected seqs 1..{self.head} each once, got {len(self.rows)} rows"
            )


@dataclass
class Account:
    """The four numbers that must be 0, each with the first few cases."""

    lost: int = 0
    duplicated: int = 0
    reordered: int = 0
    phantom: int = 0
    cases: list[str] = field(default_factory=list)

    CASES = 20

    @property
    def total(self) -> int:
        return self.lost + self.duplicated + self.reordered + self.phantom

    def note(self, kind: str, case: str, count: int = 1) -> None:
        setattr(self, kind, getattr(self, kind) + count)
        if len(self.cases) < self.CASES:
            self.cases.append(f"{kind}: {case}")


def compare_reader(
    account: Account, reader: str, stretches: Iterable[Stretch], log: StreamLog
) -> int:
    """Add what is wrong with a reader's record of one stream; the number of frames compared.

    Between two stretches the client was given the state anew, so only the last one must reach the
    head; within a stretch every seq is due.
    """
    compared, all_seen, listed = 0, set[int](), list(stretches)
    for number, stretch in enumerate(listed):
        place = f"{reader} {log.name}"
        if stretch.epoch != log.epoch:
            account.note("phantom", f"{place}: epoch {stretch.epoch}", max(1, len(stretch.seqs)))
            continue
        newest = stretch.start
        for seq, named, content in zip(
            stretch.seqs, stretch.identities, stretch.digests, strict=True
        ):
            compared += 1
            row = log.rows.get(seq)
            if row is None or row.identity != named:
                account.note("phantom", f"{place} #{seq}: not in the log")
            elif row.digest != content and not row.blanked:
                account.note("phantom", f"{place} #{seq}: other text than in the log")
            if seq in all_seen or seq <= stretch.start:
                account.note("duplicated", f"{place} #{seq}")
            elif seq < newest:
                account.note("reordered", f"{place} #{seq} behind #{newest}")
            all_seen.add(seq)
            newest = max(newest, seq)
        end = log.head if number == len(listed) - 1 else newest
        missing = [seq for seq in range(stretch.start + 1, end + 1) if seq not in all_seen]
        if missing:
            account.note("lost", f"{place} #{missing[0]}..#{missing[-1]}", len(missing))
    return compared


@dataclass
class Write:
    """One write as its author knows it; without an acknowledgement it may have happened or not."""

    stream: str
    author: int
    ref: str
    attempts: int = 0
    message: int | None = None
    seq: int | None = None
    contradictions: int = 0
    asks: bool = False  # whether the AI is to answer it

    def acknowledge(self, message: int, seq: int) -> None:
        """An answer; a later one must say the same."""
        if self.message is not None and (self.message, self.seq) != (message, seq):
            self.contradictions += 1
        self.message, self.seq = message, seq

    @property
    def acknowledged(self) -> bool:
        return self.message is not None


def compare_writes(account: Account, writes: Iterable[Write], logs: Mapping[str, StreamLog]) -> int:
    """Add what is wrong with the writes; the number of acknowledged ones compared.

    Acknowledged: in the log exactly once, where the answer said. Otherwise: at most once.
    """
    told = {
        name: {row.seq: row for row in log.rows.values() if row.type == "new_message"}
        for name, log in logs.items()
    }
    times = Counter(row.ref for rows in told.values() for row in rows.values() if row.ref)
    compared = 0
    for write in writes:
        place, found = f"write {write.ref} in {write.stream}", times[write.author, write.ref]
        if found > 1:
            account.note("duplicated", f"{place}: {found} times", found - 1)
        if write.contradictions:
            account.note("duplicated", f"{place}: two answers that differ", write.contradictions)
        if not write.acknowledged:
            continue
        compared += 1
        row = told[write.stream].get(write.seq or 0)
        if not found:
            account.note("lost", f"{place}: acknowledged as #{write.seq}")
        elif row is None or (row.ref, row.message) != ((write.author, write.ref), write.message):
            account.note("phantom", f"{place}: acknowledged as #{write.seq}, which is another")
    return compared
