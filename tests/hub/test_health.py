"""When a node takes the channel layer for dead, and when it trusts it again."""

import pytest

from realtime.hub.health import LayerHealth
from tests.clock import Clock


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def health(clock: Clock) -> LayerHealth:
    return LayerHealth(clock)


def polls(health: LayerHealth) -> bool:
    return health.polling


def returns(health: LayerHealth) -> bool:
    return health.may_return


def good(health: LayerHealth, times: int) -> None:
    for _ in range(times):
        health.good()


def test_two_missed_probes_in_a_row_turn_to_polling(health: LayerHealth) -> None:
    """One alone does not, however often."""
    for _ in range(5):
        health.miss()
        health.good()
    assert not polls(health)
    health.miss()
    assert not polls(health)
    health.miss()
    assert (polls(health), health.reason, health.turns) == (True, "silent", 1)


def test_back_after_three_good_probes_and_a_check(health: LayerHealth) -> None:
    """A miss in between begins the count anew; `restore` stands for the check of all heads."""
    health.miss()
    health.miss()
    since = health.since
    good(health, 2)
    health.miss()
    good(health, 2)
    health.restore()
    assert polls(health)
    good(health, 1)
    assert polls(health)
    assert returns(health)
    health.restore()
    assert not polls(health)
    assert health.reason is None
    assert health.since >= since


def test_two_unannounced_events_within_half_a_minute(health: LayerHealth, clock: Clock) -> None:
    """Probes are fine and yet hints are missing: somebody's do not arrive."""
    health.heal()
    clock.now += 31
    health.heal()
    assert not polls(health)
    clock.now += 29
    health.heal()
    assert (polls(health), health.reason) == (True, "unannounced")


def test_polling_goes_on_while_events_come_unannounced(health: LayerHealth, clock: Clock) -> None:
    """Or it would begin anew every few seconds, and operators hear of each time."""
    health.heal()
    health.heal()
    good(health, 10)
    assert not returns(health)
    clock.now += 31
    assert returns(health)
    health.heal()
    assert returns(health)
    health.heal()
    assert not returns(health)


def test_unannounced_events_are_no_news_while_probes_are_missed(health: LayerHealth) -> None:
    """Then every event of another node is found so, and the return would be put off by it."""
    health.miss()
    health.miss()
    for _ in range(5):
        health.heal()
    good(health, 3)
    assert returns(health)
    assert health.unannounced == 0
