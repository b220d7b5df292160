"""The newest entries in memory: contiguous, bounded, without deleted text."""

from hypothesis import given
from hypothesis import strategies as st

from realtime.hub.ring import MAX_BYTES, MAX_ENTRIES, MISSED_KEPT, Ring
from realtime.log.entries import Entry


def entries(first: int, last: int, size: int = 1) -> list[Entry]:
    return [Entry(seq, b"x" * size, "new_message", None, None) for seq in range(first, last + 1)]


def seqs(ring: Ring, after: int) -> list[int] | None:
    found = ring.after(after)
    return None if found is None else [entry.seq for entry in found]


def test_after_reaches_back_to_the_oldest_or_says_so() -> None:
    """None where something would be missing, empty where nothing follows."""
    ring = Ring()
    assert ring.after(0) is None
    ring.extend(entries(5, 8))
    assert seqs(ring, 3) is None
    assert seqs(ring, 4) == [5, 6, 7, 8]
    assert seqs(ring, 7) == [8]
    assert seqs(ring, 8) == seqs(ring, 99) == []


def test_bounds_of_count_and_bytes() -> None:
    """The oldest go first."""
    ring = Ring()
    ring.extend(entries(1, MAX_ENTRIES + 10))
    assert (len(ring), ring.first) == (MAX_ENTRIES, 11)
    ring.clear()
    ring.extend(entries(1, 20, MAX_BYTES // 10))
    assert (len(ring), ring.first) == (10, 11)


def test_hole_empties_the_ring() -> None:
    """Entries on both sides of a hole cannot both be served."""
    ring = Ring()
    ring.extend(entries(1, 3))
    ring.extend(entries(5, 6))
    assert seqs(ring, 4) == [5, 6]
    assert seqs(ring, 2) is None


@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("extend"), st.integers(1, 40), st.integers(0, 120_000)),
            st.tuples(st.just("drop"), st.integers(0, 60), st.just(0)),
            st.tuples(st.just("skip"), st.integers(0, 2), st.just(0)),
        ),
        max_size=20,
    )
)
def test_contiguous_bounded_and_counted(steps: list[tuple[str, int, int]]) -> None:
    """Whatever is added and dropped."""
    ring, newest, dropped = Ring(), 0, 0
    for what, number, size in steps:
        if what == "extend":
            ring.extend(entries(newest + 1, newest + number, size))
            newest += number
        elif what == "drop":
            dropped = max(dropped, min(number, newest))
            ring.drop_up_to(min(number, newest))
        else:
            newest += number
        held = list(ring._entries)
        assert [entry.seq for entry in held] == list(
            range(held[0].seq, held[0].seq + len(held)) if held else []
        )
        assert len(held) <= MAX_ENTRIES
        assert ring._bytes == sum(len(entry.frame or b"") for entry in held) <= MAX_BYTES
        assert not held or held[0].seq > dropped


def test_missed_is_shared_until_the_ring_changes_or_lets_go() -> None:
    """A crowd at one position gets the same bytes; nobody gets those of an older ring."""
    ring = Ring()
    assert ring.missed(0) is None
    ring.extend(entries(5, 8))
    assert ring.missed(3) is ring.missed(8) is None
    first = ring.missed(5)
    assert first is not None
    assert (first.last, list(first.frames), first.ends_rights) == (8, [b"x"] * 3, False)
    assert ring.missed(5) is first
    ring.let_go()
    assert ring.missed(5) is not first
    ring.extend([Entry(9, b"y", "project_left", "user.7", None)])
    grown = ring.missed(5)
    assert grown is not None
    assert (grown.last, grown.frames[-1], grown.ends_rights) == (9, b"y", True)
    ring.drop_up_to(6)
    assert ring.missed(5) is None


def test_missed_of_more_than_256_kib_goes_in_pages() -> None:
    """A reader that takes nothing holds no more than a page of it."""
    ring = Ring()
    ring.extend(Entry(seq, b"x" * 30_000, "new_message", None, None) for seq in range(1, 11))
    assert ring.missed(0) is None
    assert ring.missed(4) is not None


def test_missed_keeps_a_few_positions_only() -> None:
    """Clients that are each somewhere else must not multiply the ring."""
    ring = Ring()
    ring.extend(entries(1, MISSED_KEPT + 2))
    first = ring.missed(0)
    for seq in range(1, MISSED_KEPT + 1):
        assert ring.missed(seq) is not None
    assert ring.missed(0) is not first
