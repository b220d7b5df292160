"""The account sees each kind of fault: otherwise four zeros would say nothing."""

from typing import Any

import pytest

from tests.faults.record import (
    Account,
    LogRow,
    StreamLog,
    Stretch,
    Write,
    compare_reader,
    compare_writes,
    digest,
    identity,
)

STREAM = "project.1"


def frame(seq: int, text: str = "hello") -> dict[str, Any]:
    return {"stream": STREAM, "seq": seq, "id": f"id{seq}", "type": "new_message", "ts": "t"} | {
        "data": text
    }


def row(seq: int, *, blanked: bool = False, ref: str | None = None) -> LogRow:
    one = frame(seq)
    named = (7, ref or f"r{seq}")
    return LogRow(seq, identity(one), digest(str(one)), blanked, "new_message", named, 100 + seq)


def log(*rows: LogRow) -> StreamLog:
    return StreamLog(STREAM, "e", len(rows), {one.seq: one for one in rows})


def stretch(start: int, *seqs: int, epoch: str = "e") -> Stretch:
    made = Stretch(epoch, start)
    for seq in seqs:
        made.add(frame(seq), str(frame(seq)))
    return made


def faults(account: Account) -> tuple[int, int, int, int]:
    return account.lost, account.duplicated, account.reordered, account.phantom


FOUR = log(*(row(seq) for seq in range(1, 5)))


@pytest.mark.parametrize(
    ("stretches", "expected"),
    [
        ([stretch(0, 1, 2, 3, 4)], (0, 0, 0, 0)),
        ([stretch(4)], (0, 0, 0, 0)),
        ([stretch(0, 1, 2, 3)], (1, 0, 0, 0)),
        ([stretch(0, 1, 3, 4)], (1, 0, 0, 0)),
        ([stretch(0)], (4, 0, 0, 0)),
        ([stretch(0, 1, 2, 2, 3, 4)], (0, 1, 0, 0)),
        ([stretch(2, 2, 3, 4)], (0, 1, 0, 0)),
        ([stretch(0, 1, 3, 2, 4)], (0, 0, 1, 0)),
        ([stretch(3, 4, 5)], (0, 0, 0, 1)),
        ([stretch(0, 1, epoch="old"), stretch(4)], (0, 0, 0, 1)),
        ([stretch(0, 1), stretch(3, 4)], (0, 0, 0, 0)),
        ([stretch(0, 1, 3), stretch(3, 4)], (1, 0, 0, 0)),
        ([stretch(0, 1, 2), stretch(1, 2, 3, 4)], (0, 1, 0, 0)),
    ],
)
def test_reader_compared_with_the_log(
    stretches: list[Stretch], expected: tuple[int, int, int, int]
) -> None:
    """Every seq from the start to the head, each once, ascending, as committed."""
    account = Account()
    compare_reader(account, "c1", stretches, FOUR)
    assert faults(account) == expected
    assert bool(account.cases) == any(expected)


def test_other_event_under_the_same_seq_is_a_phantom() -> None:
    """Seen, then rolled back, and the seq given again."""
    made = Stretch("e", 3)
    made.add(frame(4) | {"id": "another"}, str(frame(4)))
    account = Account()
    compare_reader(account, "c1", [made], FOUR)
    assert faults(account) == (0, 0, 0, 1)


@pytest.mark.parametrize("blanked", [False, True])
def test_other_text_is_a_phantom_unless_it_was_taken_away(blanked: bool) -> None:
    """A deleted message is blanked in the log behind the back of those who read it before."""
    made = Stretch("e", 0)
    made.add(frame(1), "what the client read")
    account = Account()
    compare_reader(account, "c1", [made], log(row(1, blanked=blanked)))
    assert account.phantom == (0 if blanked else 1)


def write(ref: str, *, seq: int | None = None, message: int | None = None) -> Write:
    return Write(STREAM, 7, ref, message=message, seq=seq)


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (write("r2", seq=2, message=102), (0, 0, 0, 0)),
        (write("r2"), (0, 0, 0, 0)),
        (write("never arrived"), (0, 0, 0, 0)),
        (write("never arrived", seq=2, message=102), (1, 0, 0, 0)),
        (write("r2", seq=3, message=103), (0, 0, 0, 1)),
        (write("r2", seq=2, message=999), (0, 0, 0, 1)),
        (write("twice", seq=3, message=103), (0, 1, 0, 0)),
    ],
)
def test_write_compared_with_the_log(made: Write, expected: tuple[int, int, int, int]) -> None:
    """Acknowledged: there once, where the answer said; else at most once."""
    found = log(row(1), row(2), row(3, ref="twice"), row(4, ref="twice"))
    account = Account()
    compare_writes(account, [made], {STREAM: found})
    assert faults(account) == expected


def test_two_answers_that_differ_are_a_duplicate() -> None:
    """The same reference must give the same message."""
    made = write("r1")
    made.acknowledge(101, 1)
    made.acknowledge(101, 1)
    assert made.contradictions == 0
    made.acknowledge(102, 2)
    assert made.contradictions == 1


def test_log_with_a_hole_is_refused() -> None:
    """Nothing can be compared with it, and it is the worst fault of all."""
    with pytest.raises(ValueError, match=r"expected seqs 1\.\.3"):
        StreamLog(STREAM, "e", 3, {1: row(1), 3: row(3)})
