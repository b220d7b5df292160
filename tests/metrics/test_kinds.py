"""Counters and histograms, by themselves."""

import threading

import pytest

from realtime.metrics import kinds
from realtime.metrics.core import code_label
from realtime.metrics.kinds import Counter, Histogram


@pytest.fixture(autouse=True)
def own_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is declared here is not told anywhere else."""
    monkeypatch.setattr(kinds, "_known", {})


def test_counts_of_many_threads_are_all_there() -> None:
    """`add` is called by whichever thread has committed."""
    counter = Counter("things", "things", "kind")

    def add() -> None:
        for _ in range(5_000):
            counter.add("a")

    threads = [threading.Thread(target=add) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert kinds.counted() == {"things|a": 20_000}


def test_a_bound_belongs_to_its_bucket() -> None:
    """As Prometheus has it: `le`."""
    histogram = Histogram("wait", "waits", (0.1, 1.0))
    for value_s in (0.1, 0.11, 1.0, 7.0):
        histogram.observe(value_s)
    assert kinds.counted() == {"wait|0": 1, "wait|1": 2, "wait|2": 1, "wait|sum": 8.21}


@pytest.mark.parametrize(
    ("code", "label"), [(4409, "4409"), (1001, "1001"), (None, "1006"), (3999, "other")]
)
def test_close_codes_of_peers_make_no_series_of_their_own(code: int | None, label: str) -> None:
    """A peer may close with any of four thousand."""
    assert code_label(code) == label
