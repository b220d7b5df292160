"""Ranges of seqs and what acknowledgements do to them. Pure: no Django, no I/O."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

MAX_RANGES = 64  # of one person in one stream; above it the oldest claims are given up
MAX_STEPS = 256  # gathered of one person, stream and second


class Range(NamedTuple):
    """Both ends inclusive; empty where `hi` is `lo` - 1."""

    lo: int
    hi: int


def merged(ranges: Iterable[Range]) -> list[Range]:
    """Ascending, and such as touch or overlap made one."""
    found: list[Range] = []
    for one in sorted(ranges):
        if found and one.lo <= found[-1].hi + 1:
            found[-1] = Range(found[-1].lo, max(found[-1].hi, one.hi))
        else:
            found.append(one)
    return found


def resumed(ranges: Sequence[Range], seq: int) -> list[Range]:
    """A client came back that holds everything up to `seq`: the range that it left is longer.

    That is the one that began last, at or before the position; without any the position speaks
    for itself alone.
    """
    before = [one for one in ranges if one.lo <= seq + 1]
    if not before:
        return merged([*ranges, Range(seq, seq)])
    last = before[-1]
    return merged([*ranges, Range(last.lo, max(last.hi, seq))])


def bounded(ranges: Sequence[Range]) -> list[Range]:
    """Never too much is claimed: empty marks go first, then the oldest."""
    excess = len(ranges) - MAX_RANGES
    if excess <= 0:
        return list(ranges)
    kept = []
    for one in ranges:
        if excess and one.hi < one.lo:
            excess -= 1
        else:
            kept.append(one)
    return kept[excess:]


def gained(before: Sequence[Range], after: Sequence[Range]) -> list[Range]:
    """What of `after` is not in `before`; both as `merged` gives them. Some of it may touch."""
    found: list[Range] = []
    for start, end in after:
        lo = start
        for one in before:
            if lo <= one.hi and one.lo <= end:
                if lo < one.lo:
                    found.append(Range(lo, one.lo - 1))
                lo = one.hi + 1
        if lo <= end:
            found.append(Range(lo, end))
    return found


@dataclass(slots=True)
class Steps:
    """What was acknowledged within a second, in its order: ranges, and positions resumed (int).

    resumed_at: the moment of the first resumption, by whatever clock the caller uses.
    """

    taken: list[Range | int] = field(default_factory=list)
    resumed_at: float | None = None

    def arrived(self, one: Range) -> None:
        last = self.taken[-1] if self.taken else None
        if isinstance(last, Range) and last.lo <= one.lo <= last.hi + 1:
            self.taken[-1] = Range(last.lo, max(last.hi, one.hi))
        elif len(self.taken) < MAX_STEPS:
            self.taken.append(one)

    def resumed(self, seq: int, *, at: float = 0.0) -> None:
        if self.resumed_at is None:
            self.resumed_at = at
        if len(self.taken) < MAX_STEPS:
            self.taken.append(seq)

    def waits(self, held: float) -> bool:
        """Whether there is nothing here but positions that were resumed after `held`."""
        if (self.resumed_at or 0.0) <= held:
            return False
        return not any(isinstance(step, Range) for step in self.taken)

    @property
    def certain(self) -> list[Range]:
        """What has arrived whatever the resumed positions belong to."""
        return merged(step for step in self.taken if isinstance(step, Range))

    def settled(self, ranges: Iterable[Range]) -> bool:
        """Whether each resumed position lies in a range: whatever start may still become known, it
        lengthens nothing."""
        found = merged(ranges)
        for step in self.taken:
            if isinstance(step, Range):
                found = merged([*found, step])
            elif not any(lo <= step <= hi for lo, hi in found):
                return False
        return True

    def before(self, later: "Steps | None") -> "Steps":
        """Both in their order; what is beyond the bound is given up."""
        if later is None:
            return self
        resumed_at = later.resumed_at if self.resumed_at is None else self.resumed_at
        return Steps([*self.taken, *later.taken][:MAX_STEPS], resumed_at)

    def applied_to(self, ranges: Iterable[Range]) -> list[Range]:
        found = merged(ranges)
        for step in self.taken:
            found = resumed(found, step) if isinstance(step, int) else merged([*found, step])
        return bounded(found)
