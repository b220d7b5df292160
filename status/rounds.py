"""One moment's values, for the rules."""

from dataclasses import dataclass
from datetime import datetime

from status.view import Values


@dataclass(frozen=True, slots=True)
class Round:
    """`at` by the database's clock; `values` of the system, `of_members` each process's own."""

    at: datetime
    values: Values
    of_members: dict[str, Values]


def evaluate(round_: Round) -> None:
    """Rules follow."""
