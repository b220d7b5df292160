"""A deploy: two nodes restarted one after the other under load."""

from pathlib import Path

from tests.faults.rolling import Load, roll

GRACE_S = 1.0  # what a client may wait beyond its announced delay
STOP_WITHIN_S = 5.0
SERVER_RESTART = 1012


def test_rolling_restart_loses_nothing_and_keeps_its_word(tmp_path: Path) -> None:
    """Every reader has every message once and in order; each move took its announced delay plus at
    most a second; both nodes ended in time with status 0."""
    load = Load()
    record = roll(tmp_path, load)
    assert record.head - record.first == len(record.posted) == len(set(record.posted)) > 50
    counts = (record.lost(), record.repeated(), record.reordered(), record.phantom())
    assert counts == (0, 0, 0, 0)
    assert len(record.moves) >= load.readers + load.posters, "everybody moved at least once"
    worst = max(record.moves, key=lambda move: move.excess_s)
    assert worst.excess_s <= GRACE_S, worst
    assert set(record.codes) == {SERVER_RESTART, 1000}
    for stop in record.stops:
        assert stop.status == 0
        assert stop.took_s <= load.window_s + STOP_WITHIN_S
