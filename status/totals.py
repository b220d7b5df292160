"""Sums that stay exact: counts, and whole millionths instead of fractions. Pure."""

import math
from collections.abc import Mapping
from typing import NamedTuple, Self

SCALE = 1_000_000


class Totals(NamedTuple):
    """Of one or more values; `low`, `high` and `total` in millionths, `number` how many."""

    number: int
    low: int
    high: int
    total: int

    @classmethod
    def of(cls, value: float) -> Self | None:
        """One value, to the millionth; None for what is no number."""
        if not math.isfinite(value):
            return None
        scaled = round(value * SCALE)
        return cls(1, scaled, scaled, scaled)

    def joined(self, other: "Totals") -> "Totals":
        return Totals(
            self.number + other.number,
            min(self.low, other.low),
            max(self.high, other.high),
            self.total + other.total,
        )

    @property
    def average(self) -> float:
        """The nearest float: of two whole numbers Python divides exactly."""
        return self.total / (self.number * SCALE)


TotalsByMeasure = dict[str, Totals]


def totals_of(values: Mapping[str, float]) -> TotalsByMeasure:
    """Of one finding."""
    found = {measure: Totals.of(value) for measure, value in values.items()}
    return {measure: totals for measure, totals in found.items() if totals is not None}


def join_into(joined: TotalsByMeasure, more: Mapping[str, Totals]) -> None:
    for measure, totals in more.items():
        known = joined.get(measure)
        joined[measure] = totals if known is None else known.joined(totals)


def stored(totals: Mapping[str, Totals]) -> dict[str, list[int]]:
    """As `Sample.totals`."""
    return {measure: list(one) for measure, one in totals.items()}


def loaded(totals: Mapping[str, list[int]]) -> TotalsByMeasure:
    return {measure: Totals(*one) for measure, one in totals.items()}
