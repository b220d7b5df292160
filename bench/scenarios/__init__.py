"""What is measured: the `.toml` files beside this one, read and checked."""

import itertools
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent
# Of a scenario's file; everything else is a parameter.
_OWN = ("series", "kind", "order", "repeats", "peers", "vary", "quick", "about")


@dataclass(frozen=True)
class Scenario:
    """One file. `cases` are its parameters, one set for each combination of what varies."""

    name: str
    series: str  # of the results: files may share one
    kind: str
    about: str
    order: int  # within one run of a server
    repeats: int  # at most; a run may have fewer
    peers: tuple[str, ...]  # empty: all
    varied: tuple[str, ...]  # which parameters differ between its cases
    cases: tuple[dict[str, Any], ...] = field(repr=False)

    def serves(self, peer: str) -> bool:
        return not self.peers or peer in self.peers


def _cases(table: dict[str, Any]) -> tuple[dict[str, Any], ...]:
    fixed = {name: value for name, value in table.items() if name not in _OWN}
    varied: dict[str, list[Any]] = table.get("vary", {})
    if len({len(values) for values in varied.values()}) > 1:
        raise SystemExit(f"vary: expected lists of one length, got {varied}")
    rows = zip(*varied.values(), strict=True) if varied else iter([()])
    return tuple({**fixed, **dict(zip(varied, row, strict=True))} for row in rows)


def load(path: Path, *, quick: bool = False) -> Scenario:
    """One scenario; with `quick`, as its table of that name shortens it."""
    table = tomllib.loads(path.read_text())
    if quick:
        table |= table.get("quick", {})
    return Scenario(
        name=path.stem,
        series=table.get("series", path.stem),
        kind=table["kind"],
        about=table["about"],
        order=table["order"],
        repeats=1 if quick else table["repeats"],
        peers=tuple(table.get("peers", ())),
        varied=tuple(table.get("vary", ())),
        cases=_cases(table),
    )


def all_scenarios(*, quick: bool = False) -> dict[str, Scenario]:
    """By name, in the order in which a server goes through them."""
    found = [load(path, quick=quick) for path in FOLDER.glob("*.toml")]
    return {one.name: one for one in sorted(found, key=lambda one: (one.order, one.name))}


def room_counts(scenarios: Iterable[Scenario]) -> tuple[int, ...]:
    """How many rooms there are in any case, each number once."""
    cases = itertools.chain.from_iterable(one.cases for one in scenarios)
    return tuple(sorted({int(case.get("rooms", 1)) for case in cases}))


def most_sockets(scenarios: Iterable[Scenario]) -> int:
    """That any case connects."""
    cases = itertools.chain.from_iterable(one.cases for one in scenarios)
    return max(int(case["sockets"]) for case in cases)
