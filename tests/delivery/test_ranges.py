"""Acknowledgements as ranges: what has arrived, all of it, and nothing else."""

from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from realtime.delivery.ranges import (
    MAX_RANGES,
    MAX_STEPS,
    Range,
    Steps,
    bounded,
    gained,
    merged,
    resumed,
)


def seqs(ranges: list[Range]) -> set[int]:
    return {seq for lo, hi in ranges for seq in range(lo, hi + 1)}


def test_touching_and_overlapping_ranges_become_one() -> None:
    assert merged([Range(5, 7), Range(1, 2), Range(3, 4), Range(6, 9), Range(12, 12)]) == [
        Range(1, 9),
        Range(12, 12),
    ]


def test_resumed_position_belongs_to_the_start_before_it() -> None:
    """Two visits, the second without any acknowledgement: what lay between stays open."""
    visits = [Range(11, 15), Range(19, 18)]
    assert resumed(visits, 20) == [Range(11, 15), Range(19, 20)]
    assert resumed(visits, 15) == visits
    assert resumed([Range(19, 18)], 18) == [Range(19, 18)]


def test_position_that_nothing_is_known_of_speaks_for_itself() -> None:
    assert resumed([], 7) == [Range(7, 7)]
    assert resumed([Range(20, 22)], 7) == [Range(7, 7), Range(20, 22)]


def test_steps_of_a_second_keep_their_order() -> None:
    """Resumed at 20, then acknowledged to 25: the position belongs to the visit before."""
    steps = Steps()
    steps.resumed(20)
    for lo, hi in ((21, 23), (24, 25)):
        steps.arrived(Range(lo, hi))
    assert steps.taken == [20, Range(21, 25)]
    assert steps.applied_to([Range(11, 15)]) == [Range(11, 25)]


@given(
    st.lists(st.tuples(st.integers(1, 12), st.integers(-1, 5)), max_size=5),
    st.lists(st.tuples(st.integers(1, 12), st.integers(-1, 5)), max_size=3),
    st.integers(1, 12),
    st.integers(0, 4),
)
def test_settled_steps_are_the_same_early_and_late(
    known: list[tuple[int, int]], late: list[tuple[int, int]], seq: int, more: int
) -> None:
    """What another node writes between changes nothing for them: that is why they need not wait."""
    held = merged([Range(lo, lo + size) for lo, size in known])
    others = [Range(lo, lo + size) for lo, size in late]
    steps = Steps([seq, Range(seq + 1, seq + more)])
    if steps.settled(held):
        early = merged([*steps.applied_to(held), *others])
        assert seqs(early) == seqs(steps.applied_to(merged([*held, *others])))


def test_steps_put_back_stay_in_order_and_bounded() -> None:
    first, later = Steps([4], 1.5), Steps([Range(5, 6)], 9.0)
    assert first.before(None) is first
    assert first.before(later) == Steps([4, Range(5, 6)], 1.5)
    assert Steps([Range(5, 6)]).before(Steps([8], 9.0)).resumed_at == 9.0
    full = Steps([2 * n for n in range(MAX_STEPS)])
    assert full.before(later).taken == full.taken


def test_ranges_are_bounded_by_claiming_less() -> None:
    many = [Range(3 * n, 3 * n + n % 2 - 1) for n in range(1, 2 * MAX_RANGES)]
    kept = bounded(many)
    assert len(kept) <= MAX_RANGES
    assert seqs(kept) <= seqs(many)
    assert kept[-1] == many[-1]


@dataclass
class Tab:
    """A client that keeps its state: a fresh one knows only what follows its start."""

    start: int
    cursor: int
    online: bool = True
    seen: set[int] = field(default_factory=set)


@given(
    st.lists(st.sampled_from(["post", "ack", "lose", "resume", "fresh", "snapshot"]), max_size=60)
)
def test_one_tab_is_counted_exactly(deeds: list[str]) -> None:
    """A tab that comes, acknowledges or not, is lost, and resumes or starts afresh: whenever it
    has just acknowledged or resumed, the ranges are exactly what it has, and never more."""
    head, arrived = 5, set[int]()
    stored: list[Range] = []
    tab: Tab | None = None
    for deed in deeds:
        steps = Steps()
        if deed == "post":
            head += 1
            if tab is not None and tab.online:
                tab.cursor = head
                tab.seen.add(head)
        elif deed in {"fresh", "snapshot"}:
            tab = Tab(head, head)
            if deed == "snapshot":
                steps.arrived(Range(1, head))
                arrived |= set(range(1, head + 1))
            else:
                steps.arrived(Range(head + 1, head))
        elif tab is not None and deed == "lose":
            tab.online = False
        elif tab is not None and deed == "resume" and not tab.online:
            tab.online = True
            steps.resumed(tab.cursor)
            arrived |= tab.seen
            missed = set(range(tab.cursor + 1, head + 1))
            tab.seen |= missed
            tab.start = tab.cursor
            tab.cursor = head
        elif tab is not None and deed == "ack" and tab.online and tab.cursor > tab.start:
            steps.arrived(Range(tab.start + 1, tab.cursor))
            arrived |= tab.seen
        stored = steps.applied_to(stored)
        assert seqs(stored) == arrived


@given(
    st.lists(st.tuples(st.integers(1, 20), st.integers(-1, 5)), max_size=5),
    st.lists(st.tuples(st.integers(1, 20), st.integers(-1, 5)), max_size=5),
)
def test_what_is_gained_is_the_difference(
    held: list[tuple[int, int]], come: list[tuple[int, int]]
) -> None:
    """Empty marks on either side count for nothing."""
    before = merged(Range(lo, lo + size) for lo, size in held)
    after = merged(Range(lo, lo + size) for lo, size in come)
    found = gained(before, after)
    assert seqs(found) == seqs(after) - seqs(before)
    assert all(lo <= hi for lo, hi in found)
