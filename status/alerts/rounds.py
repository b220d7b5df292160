"""One moment's values, as the rules are evaluated against them. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from status.alerts.recovering import CIRCUITS, reported
from status.models import Subjects
from status.view import Values, View

ERRORS = "errors"  # the component whose detail has the classes
PER_MINUTE = "errors.per_minute"
MAX_SAMPLES = 5
MOST = 600  # rounds that wait while the database is away
FIRST = 60


@dataclass(frozen=True, slots=True)
class ErrorClass:
    """Of all processes together."""

    per_minute: float = 0.0
    samples: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Round:
    """`at` by the database's clock; `values` of the system, `of_members` each process's own.
    `whole` unless it is only what one node saw, while the database was away."""

    at: datetime
    values: Values
    of_members: Mapping[str, Values] = field(default_factory=dict)
    errors: Mapping[str, ErrorClass] = field(default_factory=dict)
    whole: bool = True
    tried: Sequence[Mapping[str, Any]] = ()  # what processes report of recoveries

    def subjects(self, kind: str) -> Mapping[str, Values]:
        """The values to evaluate a rule with, for each of its subjects."""
        if kind == Subjects.MEMBER:
            return {name: {**self.values, **own} for name, own in self.of_members.items()}
        if kind == Subjects.ERROR:
            return {
                name: {**self.values, PER_MINUTE: found.per_minute}
                for name, found in self.errors.items()
            }
        return {"": self.values}


def round_of(view: View, at: datetime, *, whole: bool = True) -> Round:
    errors: dict[str, ErrorClass] = {}
    for detail in view.details.get(ERRORS, ()):
        for name, told in detail.items():
            known = errors.get(name, ErrorClass())
            samples = (*known.samples, *told["samples"])[-MAX_SAMPLES:]
            errors[name] = ErrorClass(known.per_minute + told["per_minute"], samples)
    tried = reported(view.details.get(CIRCUITS, ()))
    return Round(at, view.values, view.of_members, errors, whole, tried)


class WaitingRounds:
    """Those that are yet to be evaluated, oldest first.

    Above MOST every second one goes, but for the first FIRST and the newest: an outage of any
    length keeps its beginning, with which its alert is opened, and its end.
    """

    def __init__(self) -> None:
        self._rounds: list[Round] = []

    def __len__(self) -> int:
        return len(self._rounds)

    @property
    def oldest(self) -> Round:
        return self._rounds[0]

    def add(self, round_: Round) -> None:
        self._rounds.append(round_)
        if len(self._rounds) > MOST:
            rest = self._rounds[FIRST:]
            self._rounds[FIRST:] = rest[1 - len(rest) % 2 :: 2]  # the newest is among them

    def drop_oldest(self) -> None:
        """It has been evaluated."""
        del self._rounds[0]

    def clear(self) -> None:
        self._rounds.clear()
