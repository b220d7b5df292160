"""Samples: two hours of them, rolled up as time goes by, against what was measured one by one."""

import random
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Any

import pytest
from django.db import transaction

from realtime.protocol.errors import BadRequest, NotFound
from status.buckets import Bucket, Buckets, floor_to
from status.history import MAX_POINTS, History, history
from status.models import Sample
from status.samples import KEPT, forget_old, roll_up, store
from status.totals import SCALE, Totals

pytestmark = pytest.mark.django_db(transaction=True)

BEGIN = datetime(2026, 3, 29, 0, 7, 20, tzinfo=UTC)  # in no step's beginning
MEMBERS = ("one", "two")
MEASURES = {"database": "database.answer_ms", "cpu": "cpu.percent"}

Raw = list[tuple[datetime, str, str, float]]


def measured(hours: float) -> Raw:
    """A value of each member and measure every 3 to 5 s: (moment, member, component, value)."""
    chance = random.Random(7)
    raw: Raw = []
    for member in MEMBERS:
        moment = BEGIN
        while moment < BEGIN + timedelta(hours=hours):
            for component in MEASURES:
                raw.append((moment, member, component, chance.uniform(0, 1e3)))
            moment += timedelta(seconds=chance.uniform(3, 5))
    return sorted(raw)


def lived(
    raw: Raw, *, away: Callable[[str, datetime], bool] = lambda member, now: False
) -> datetime:
    """As the monitors of the members do it: sums every 10 s, rolled up once a minute. Returns the
    end. While `away` says so a member cannot write."""
    buckets = {member: Buckets() for member in MEMBERS}
    waiting = iter([*raw, None])
    following = next(waiting)
    now = BEGIN
    end = raw[-1][0] + timedelta(minutes=1)
    while now < end:
        now += timedelta(seconds=10)
        while following is not None and following[0] < now:
            at, member, component, value = following
            buckets[member].add(component, at, {MEASURES[component].split(".")[1]: value})
            following = next(waiting)
        for member in MEMBERS:
            if not away(member, now):
                store(member, buckets[member].take(now))
        if now.second < 10:
            while roll_up(now) + forget_old(now):
                pass
    return now


def naive(raw: Raw, component: str, step_s: int, begin: datetime, end: datetime) -> dict[Any, Any]:
    """Each step's totals from the values themselves, in whole millionths."""
    steps: dict[datetime, list[int]] = {}
    for at, _, name, value in raw:
        if name == component and floor_to(begin, step_s) <= at < end:
            steps.setdefault(floor_to(at, step_s), []).append(round(value * SCALE))
    return {step: (len(found), min(found), max(found), sum(found)) for step, found in steps.items()}


def as_totals(found: History) -> dict[Any, Any]:
    return {point.at: tuple(point.totals) for point in found.points}


def test_two_hours_are_right_to_the_last_digit() -> None:
    """Every step that history gives, across what is rolled up, what is not, and what came late."""
    raw = measured(2)

    def away(member: str, now: datetime) -> bool:
        """Ten minutes without the database, ended in the middle of a quarter of an hour."""
        return member == "two" and timedelta(minutes=31) < now - BEGIN < timedelta(minutes=41)

    now = lived(raw, away=away)
    assert set(Sample.objects.values_list("step_s", flat=True)) == set(KEPT)
    end = now
    for component, measure in MEASURES.items():
        for step_s, begin in (
            (10, now - timedelta(minutes=55)),
            (60, BEGIN),
            (120, BEGIN),
            (300, BEGIN + timedelta(seconds=77)),
            (900, BEGIN),
            (2700, BEGIN),
        ):
            found = history(measure, begin, end, step_s, now=now)
            assert as_totals(found) == naive(raw, component, step_s, begin, end), step_s
            for point in found.points:
                count, _, _, total = point.totals
                assert point.totals.average == float(Fraction(total, count * SCALE))


def test_one_members_history_is_its_own() -> None:
    """The same rows, without the other's."""
    raw = measured(0.3)
    now = lived(raw)
    own = [one for one in raw if one[1] == "two"]
    found = history("cpu.percent", BEGIN, now, 60, now=now, member="two")
    assert as_totals(found) == naive(own, "cpu", 60, BEGIN, now)


def test_what_is_old_goes_and_longer_steps_stay() -> None:
    """Rows are bounded: an hour of 10 s, a day of minutes, 30 days of quarters of an hour."""
    lived(measured(0.5))
    later = BEGIN + timedelta(hours=3)
    while roll_up(later) + forget_old(later):
        pass
    assert set(Sample.objects.values_list("step_s", flat=True)) == {60, 900}
    later = BEGIN + timedelta(days=29)
    while forget_old(later):
        pass
    assert set(Sample.objects.values_list("step_s", flat=True)) == {900}
    later = BEGIN + timedelta(days=31)
    while forget_old(later):
        pass
    assert not Sample.objects.exists()


def test_what_is_not_rolled_up_is_not_forgotten() -> None:
    """Nobody rolled up for hours: nothing is lost by it."""
    store("one", [Bucket("cpu", floor_to(BEGIN, 10), {"percent": Totals(1, 5, 5, 5)})])
    later = BEGIN + timedelta(hours=5)
    assert forget_old(later) == 0
    roll_up(later)
    found = history("cpu.percent", BEGIN, later, 900, now=later)
    assert [tuple(point.totals) for point in found.points] == [(1, 5, 5, 5)]


def test_written_twice_counts_once() -> None:
    """The answer of the first write was lost."""
    bucket = Bucket("cpu", floor_to(BEGIN, 10), {"percent": Totals(1, 5, 5, 5)})
    store("one", [bucket])
    store("one", [bucket])
    assert Sample.objects.count() == 1


def test_a_roll_up_that_is_rolled_back_counts_once() -> None:
    """The mark and the sum are one transaction."""

    class Interrupted(Exception):
        pass

    store("one", [Bucket("cpu", floor_to(BEGIN, 10), {"percent": Totals(1, 5, 5, 5)})])
    later = BEGIN + timedelta(minutes=30)
    with suppress(Interrupted), transaction.atomic():
        assert roll_up(later)
        raise Interrupted
    while roll_up(later):
        pass
    found = history("cpu.percent", BEGIN, later, 900, now=later)
    assert [tuple(point.totals) for point in found.points] == [(1, 5, 5, 5)]


HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    ("begin", "end", "step_s", "text"),
    [
        (BEGIN, BEGIN - HOUR, 60, "to: expected a moment after from"),
        (BEGIN, BEGIN, 60, "to: expected a moment after from"),
        (BEGIN, BEGIN + timedelta(days=400), 900, "from: expected a year at most"),
        (BEGIN - timedelta(days=300), BEGIN, 10, f"step: expected {MAX_POINTS} points at most"),
        (BEGIN - HOUR, BEGIN, 0, "step: expected a multiple of 10"),
        (BEGIN - HOUR, BEGIN, -60, "step: expected a multiple of 10"),
        (BEGIN - HOUR, BEGIN, 15, "step: expected a multiple of 10"),
        (BEGIN - 3 * HOUR, BEGIN, 10, "step: expected a multiple of 60"),
        (BEGIN - 30 * HOUR, BEGIN, 60, "step: expected a multiple of 900"),
    ],
)
def test_bad_ranges_are_refused_in_one_sentence(
    begin: datetime, end: datetime, step_s: int, text: str
) -> None:
    """Reversed, empty, huge, a million points, steps that are not stored."""
    with pytest.raises(BadRequest) as raised:
        history("cpu.percent", begin, end, step_s, now=BEGIN)
    assert raised.value.message.startswith(text)


@pytest.mark.parametrize("measure", ["cpu", "cpu.", "cpu.nothing", "nothing.percent", "", "a.b.c"])
def test_unknown_measures_are_not_found(measure: str) -> None:
    """Also the name of a component alone."""
    with pytest.raises(NotFound):
        history(measure, BEGIN, BEGIN + HOUR, now=BEGIN)


@pytest.mark.parametrize("hours", [0.1, 1, 5, 24, 100, 24 * 40])
def test_a_step_is_chosen_that_suits_a_chart(hours: float) -> None:
    """Without a step every range is answered, with few points."""
    begin = BEGIN - timedelta(hours=hours)
    found = history("cpu.state", begin, BEGIN, now=BEGIN)
    assert found.step_s % 10 == 0
    assert 5 <= hours * 3600 / found.step_s <= 400


def test_buckets_are_bounded() -> None:
    """While the database is away the oldest sums go first, and are counted."""
    buckets = Buckets(kept=3)
    for number in range(5):
        buckets.add("cpu", BEGIN + timedelta(seconds=10 * number), {"percent": number})
    taken = buckets.take(BEGIN + HOUR)
    assert [one.totals["percent"].total for one in taken] == [2 * SCALE, 3 * SCALE, 4 * SCALE]
    assert buckets.dropped == 2
    buckets.put_back(taken)
    assert buckets.take(BEGIN + HOUR) == taken


def test_what_is_no_number_is_not_summed() -> None:
    """A probe that divides by zero must not spoil the sums of everybody."""
    buckets = Buckets()
    buckets.add("cpu", BEGIN, {"percent": float("nan"), "state": 0})
    buckets.add("cpu", BEGIN, {"percent": float("inf"), "state": 1})
    [bucket] = buckets.take(BEGIN + HOUR)
    assert bucket.totals == {"state": Totals(2, 0, SCALE, SCALE)}
