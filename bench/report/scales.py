"""Where a value stands on an axis, and which values are worth a tick."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol


class Scale(Protocol):
    """Maps values to 0..1."""

    def place(self, value: float) -> float: ...

    def ticks(self) -> list[float]: ...


@dataclass(frozen=True)
class Linear:
    """From zero to a round number above `most`."""

    most: float

    @property
    def _step(self) -> float:
        rough = (self.most or 1.0) / 4
        power = 10.0 ** math.floor(math.log10(rough))
        return next(step for step in (power, 2 * power, 5 * power, 10 * power) if step >= rough)

    def place(self, value: float) -> float:
        return value / (self._step * math.ceil((self.most or 1.0) / self._step))

    def ticks(self) -> list[float]:
        return [self._step * n for n in range(math.ceil((self.most or 1.0) / self._step) + 1)]


@dataclass(frozen=True)
class Logarithmic:
    """Ticks at 1, 2 and 5 of each decade; at 1 alone where these are too many."""

    least: float
    most: float

    @classmethod
    def around(cls, values: Iterable[float]) -> "Logarithmic":
        """Wide enough for all the values, with a little air. What is too small to be measured is
        zero, and stands at the beginning."""
        found = [value for value in values if value > 0] or [1.0]
        least, most = min(found) / 1.25, max(found) * 1.25
        if most / least < 8:  # one thing and its double must not look like the ends of the world
            middle = math.sqrt(least * most)
            least, most = middle / math.sqrt(8), middle * math.sqrt(8)
        return cls(least, most)

    def place(self, value: float) -> float:
        return math.log(max(value, self.least) / self.least) / math.log(self.most / self.least)

    def ticks(self) -> list[float]:
        decades = range(math.floor(math.log10(self.least)), math.ceil(math.log10(self.most)) + 1)
        for steps in ((1, 2, 5), (1, 3), (1,)):
            found = [step * 10.0**decade for decade in decades for step in steps]
            inside = [value for value in found if self.least <= value <= self.most]
            if len(inside) <= 8:
                return inside
        return inside
