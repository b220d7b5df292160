"""The comparison of runs with what was asked and told can fail in each way."""

from dataclasses import replace

import pytest

from tests.faults.record import Account, Write
from tests.faults.runs import RunRow, Told, compare_runs

WRITE = Write("project.1", 1, "a-1", message=5, seq=1, asks=True)
ROW = RunRow(id=3, question=5, state="completed", generation=2, body="so", answers=1)


def told() -> Told:
    return Told(starts=[1, 2], bodies=["so"], ends=["completed"])


def counted(rows: list[RunRow], said: Told) -> tuple[int, int, int]:
    account = Account()
    compare_runs(account, [WRITE], rows, {3: said})
    return account.lost, account.duplicated, account.phantom


def test_run_that_began_twice_and_ended_once_is_fine() -> None:
    """Another generation after a dead worker is what is promised."""
    assert counted([ROW], told()) == (0, 0, 0)
    waiting = Write("project.1", 1, "a-2", asks=True)  # never acknowledged: it may be missing
    account = Account()
    assert compare_runs(account, [WRITE, waiting], [ROW], {3: told()}) == {"completed": 1}
    assert account.total == 0


@pytest.mark.parametrize(
    ("rows", "found"),
    [
        ([], (1, 0, 0)),
        ([ROW, ROW], (0, 1, 0)),
        ([replace(ROW, state="running")], (1, 0, 0)),
        ([replace(ROW, answers=2)], (0, 1, 0)),
        ([replace(ROW, answers=0)], (1, 0, 0)),
        ([replace(ROW, state="failed")], (1, 0, 0)),
        ([replace(ROW, body="no")], (0, 0, 1)),
        ([replace(ROW, generation=3)], (1, 0, 0)),
        ([replace(ROW, generation=1)], (0, 1, 0)),
    ],
)
def test_wrong_rows_are_counted(rows: list[RunRow], found: tuple[int, int, int]) -> None:
    """Missing, twice, still open, or not as it was told."""
    assert counted(rows, told()) == found


def test_wrong_tellings_are_counted() -> None:
    """An end told twice or never, an answer told twice."""
    assert counted([ROW], replace(told(), ends=["completed"] * 2)) == (0, 1, 0)
    assert counted([ROW], replace(told(), ends=[])) == (1, 0, 0)
    assert counted([ROW], replace(told(), bodies=["so", "so"])) == (0, 1, 0)
    assert counted([ROW], replace(told(), bodies=[])) == (0, 0, 1)
