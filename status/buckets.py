"""What a process has measured and not yet written: sums per component and step of 10 s. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from status.totals import TotalsByMeasure, join_into, totals_of

STEP_S = 10
KEPT = 3_600  # sums of a component and step: an hour of ten components while the database is away


@dataclass(frozen=True, slots=True)
class Bucket:
    component: str
    at: datetime
    totals: TotalsByMeasure


def floor_to(moment: datetime, step_s: int) -> datetime:
    """The beginning of the step that the moment is in; steps are counted from 1970 on."""
    seconds = int(moment.timestamp())
    return datetime.fromtimestamp(seconds - seconds % step_s, UTC)


class Buckets:
    """Above `kept` the oldest sums are dropped, and counted."""

    def __init__(self, kept: int = KEPT) -> None:
        self.dropped = 0
        self._kept = kept
        self._sums: dict[tuple[datetime, str], TotalsByMeasure] = {}

    def add(self, component: str, at: datetime, values: Mapping[str, float]) -> None:
        key = (floor_to(at, STEP_S), component)
        if key not in self._sums and len(self._sums) >= self._kept:
            del self._sums[min(self._sums)]
            self.dropped += 1
        join_into(self._sums.setdefault(key, {}), totals_of(values))

    def take(self, now: datetime) -> list[Bucket]:
        """Those of steps that are over; they are no longer kept here."""
        limit = floor_to(now, STEP_S)
        over = sorted(key for key in self._sums if key[0] < limit)
        return [Bucket(name, at, self._sums.pop((at, name))) for at, name in over]

    def put_back(self, buckets: list[Bucket]) -> None:
        """They could not be written."""
        for bucket in buckets:
            join_into(self._sums.setdefault((bucket.at, bucket.component), {}), bucket.totals)
        while len(self._sums) > self._kept:
            del self._sums[min(self._sums)]
            self.dropped += 1
