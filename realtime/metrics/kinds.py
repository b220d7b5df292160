"""Counters and histograms: plain numbers of this process, never set back while it lives.

Where a delivery is counted there is no call: `counter.total += n` in the event loop. `add` is for
everything else, from any thread. A series is told as `name|label|label`, so labels must come from
small closed sets (commands, codes, types) and never from what a client writes.
"""

import threading
from bisect import bisect_left
from collections.abc import Iterator, Mapping

SEPARATOR = "|"
BUCKETS_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
LONG_BUCKETS_S = (0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0)
SUM = "sum"  # beside the buckets, the last part of a histogram's series

_lock = threading.Lock()
_known: dict[str, "Counter | Histogram"] = {}


class Counter:
    """`labels` are their names. Without any only `total` is used."""

    __slots__ = ("_values", "labels", "name", "text", "total")

    def __init__(self, name: str, text: str, *labels: str) -> None:
        self.name = name
        self.text = text
        self.labels = labels
        self.total = 0
        self._values: dict[str, int] = {}
        _known[name] = self

    def add(self, *labels: str, amount: int = 1) -> None:
        """One value for each label."""
        key = SEPARATOR.join(labels)
        with _lock:
            self._values[key] = self._values.get(key, 0) + amount

    def series(self) -> Iterator[tuple[str, float]]:
        if not self.labels:
            yield self.name, self.total
            return
        with _lock:
            found = list(self._values.items())
        for key, value in found:
            yield f"{self.name}{SEPARATOR}{key}", value


class Histogram:
    """Seconds, in buckets up to and with each of `bounds`; to be observed in one thread. `counts`
    has each bucket's own, and one more for what is above all bounds."""

    __slots__ = ("bounds", "counts", "name", "text", "total_s")

    def __init__(self, name: str, text: str, bounds: tuple[float, ...] = BUCKETS_S) -> None:
        self.name = name
        self.text = text
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total_s = 0.0
        _known[name] = self

    def observe(self, value_s: float) -> None:
        self.counts[bisect_left(self.bounds, value_s)] += 1
        self.total_s += value_s

    def series(self) -> Iterator[tuple[str, float]]:
        """Each bucket's own count by its place, and the sum."""
        for place, count in enumerate(self.counts):
            yield f"{self.name}{SEPARATOR}{place}", count
        yield f"{self.name}{SEPARATOR}{SUM}", self.total_s


def known() -> Mapping[str, Counter | Histogram]:
    """Every counter and histogram that this program declares, by name."""
    return _known


def counted() -> dict[str, float]:
    """This process's own, by series."""
    return dict(pair for metric in list(_known.values()) for pair in metric.series())
