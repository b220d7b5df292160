"""What became of the questions to the AI: each one run, one answer, one end, whatever happened.

Pure, like `record`.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from tests.faults.record import Account, Write

FINAL = {"completed", "cancelled", "failed", "interrupted"}


@dataclass(frozen=True)
class RunRow:
    """A run as it stands in the database. `answers`: messages of the AI to its question."""

    id: int
    question: int
    state: str
    generation: int
    body: str
    answers: int


@dataclass
class Told:
    """What the log says of one run, in order."""

    starts: list[int] = field(default_factory=list)  # generations
    bodies: list[str] = field(default_factory=list)  # of `ai_response_generated`
    ends: list[str] = field(default_factory=list)  # states


def compare_runs(
    account: Account, asked: Iterable[Write], rows: Iterable[RunRow], told: dict[int, Told]
) -> Counter[str]:
    """Add what is wrong with the runs; how many ended in which state."""
    listed = list(rows)
    of_question = Counter(row.question for row in listed)
    for write in asked:
        if write.message is not None and not of_question[write.message]:
            account.note("lost", f"question {write.ref}: nothing answers it")
    for question, count in of_question.items():
        if count > 1:
            account.note("duplicated", f"question {question}: {count} runs", count - 1)
    for row in listed:
        _compare(account, row, told.get(row.id, Told()))
    return Counter(row.state for row in listed)


def _compare(account: Account, row: RunRow, told: Told) -> None:
    place = f"run {row.id}"
    if row.state not in FINAL:
        account.note("lost", f"{place}: still {row.state}")
        return
    if row.answers != 1:
        kind = "duplicated" if row.answers else "lost"
        account.note(kind, f"{place}: {row.answers} answers to its question")
    if told.ends != [row.state]:
        kind = "duplicated" if len(told.ends) > 1 else "lost"
        account.note(kind, f"{place}: {row.state}, told as {told.ends}")
    if told.starts != list(range(1, row.generation + 1)):
        kind = "duplicated" if len(told.starts) > row.generation else "lost"
        account.note(kind, f"{place}: generation {row.generation}, told as {told.starts}")
    if len(told.bodies) > 1:
        account.note("duplicated", f"{place}: {len(told.bodies)} answers told")
    elif row.generation and told.bodies != [row.body]:
        account.note("phantom", f"{place}: another answer told than stored")
