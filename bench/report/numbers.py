"""Numbers as a reader wants them: three digits that count, and their range where there is one."""

import math

from bench.report.results import Figure

ABSENT = "-"
COULD_NOT_KEEP_UP = "\\*"


def number(value: float) -> str:
    """`0.123`, `1.23`, `12.3`, `123`, `12,300`: three significant digits, no exponent."""
    if value == 0:
        return "0"
    rounded = float(f"{value:.3g}")  # first, because 9.996 has one digit before the point, 10.0 two
    decimals = 2 - math.floor(math.log10(abs(rounded)))
    return f"{rounded:,.{max(0, decimals)}f}"


def tick(value: float) -> str:
    """As short as it can be: `0.5`, `2`, `1,000`."""
    return f"{value:,.10g}"


def cell(figure: Figure | None) -> str:
    """`11.7 (11.2-12.1)`; the star marks a server that could not keep up with the load."""
    if figure is None:
        return ABSENT
    text = number(figure.median)
    if figure.count > 1:
        text += f" ({number(figure.low)}-{number(figure.high)})"
    return text if figure.kept_up else f"{text} {COULD_NOT_KEEP_UP}"


def count(value: float | None) -> str:
    return ABSENT if value is None else f"{value:,.0f}"
