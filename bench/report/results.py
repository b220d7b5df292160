"""The results of one `make bench`, as its file has them, and the questions that the report asks.

Repeated runs become one figure: the median, with the least and the greatest beside it.
"""

import json
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

FORMAT = 1
OURS = "ours"
KERNEL = "kernel"


class ResultsError(Exception):
    """The file is not one that a run of the bench has written."""


@dataclass(frozen=True)
class Figure:
    """The median of `count` repeats, their range, and whether the server kept up in all of them."""

    median: float
    low: float
    high: float
    count: int = 1
    kept_up: bool = True

    @classmethod
    def of(cls, values: Sequence[float], *, kept_up: bool = True) -> Self:
        """`values` is not empty."""
        middle = statistics.median(values)
        return cls(middle, min(values), max(values), len(values), kept_up)


@dataclass(frozen=True)
class Run:
    """One measurement of one peer. `figures` is empty where it failed, and `error` says why."""

    peer: str
    scenario: str
    kind: str
    parameters: Mapping[str, Any]
    repeat: int
    figures: Mapping[str, Any]
    error: str | None

    def matches(self, wanted: Mapping[str, Any]) -> bool:
        return all(self.parameters.get(name) == value for name, value in wanted.items())


@dataclass(frozen=True)
class Skipped:
    """A peer that was not there, and the command that installs it."""

    peer: str
    install: str


@dataclass(frozen=True)
class Results:
    """One file of results."""

    name: str
    date: str
    commit: str
    quick: bool
    machine: Mapping[str, Any]
    versions: Mapping[str, Mapping[str, str]]
    skipped: Sequence[Skipped]
    generator: Mapping[str, Any]
    runs: Sequence[Run]
    later: Sequence["Results"] = ()  # whose scenarios took the place of this one's

    @classmethod
    def read(cls, path: Path) -> Self:
        """Raises ResultsError where the file is not there or not of this format."""
        try:
            content = json.loads(path.read_text())
        except (OSError, ValueError) as error:
            raise ResultsError(f"{path}: expected results of a bench, got {error}") from error
        found = content.get("format") if isinstance(content, dict) else None
        if found != FORMAT:
            raise ResultsError(f"{path}: expected results of format {FORMAT}, got {found!r}")
        try:
            return cls(
                name=path.name,
                date=content["date"],
                commit=content["commit"],
                quick=content["quick"],
                machine=content["machine"],
                versions=content["versions"],
                skipped=[Skipped(each["peer"], each["install"]) for each in content["skipped"]],
                generator=content.get("generator") or {},
                runs=[_run(each) for each in content["runs"]],
            )
        except (KeyError, TypeError) as error:
            raise ResultsError(f"{path}: expected the fields of a run, lacks {error}") from error

    def replaced_by(self, later: "Results") -> "Results":
        """These results, but for all scenarios that `later` has."""
        again = {run.scenario for run in later.runs}
        kept = [run for run in self.runs if run.scenario not in again]
        return replace(self, runs=[*kept, *later.runs], later=[*self.later, later])

    def peers(self, scenario: str | None = None) -> list[str]:
        """Those with a figure, in the order of the file; ours first, without the kernel."""
        found = dict.fromkeys(
            run.peer
            for run in self.runs
            if run.figures and run.peer != KERNEL and scenario in {None, run.scenario}
        )
        return sorted(found, key=lambda peer: peer != OURS)

    def values(self, scenario: str, parameter: str) -> list[Any]:
        """Those that a parameter took in the scenario, ascending."""
        return sorted(
            {
                run.parameters[parameter]
                for run in self.runs
                if run.scenario == scenario and run.figures and parameter in run.parameters
            }
        )

    def figure(self, scenario: str, peer: str, name: str, **parameters: Any) -> Figure | None:
        """None where it was not measured. Entries of one repeat count as one."""
        by_repeat = self._by_repeat(scenario, peer, name, parameters)
        if not by_repeat:
            return None
        kept_up = not any(
            run.figures.get("saturated") for run in self._runs(scenario, peer, parameters)
        )
        return Figure.of(list(by_repeat.values()), kept_up=kept_up)

    def total(self, scenario: str, peer: str, name: str, **parameters: Any) -> float | None:
        """The sum over all runs, for what is counted; None where it was not."""
        found = [
            run.figures[name]
            for run in self._runs(scenario, peer, parameters)
            if name in run.figures
        ]
        return sum(found) if found else None

    def ratio(
        self, scenario: str, name: str, peer: str, *, to: str, **parameters: Any
    ) -> Figure | None:
        """One peer's figure by another's, taken within each repeat, so that a machine that is
        slower for a minute is slower for both. Of the medians where no repeat has both."""
        ours = self._by_repeat(scenario, peer, name, parameters)
        theirs = self._by_repeat(scenario, to, name, parameters)
        kept_up = not any(
            run.figures.get("saturated")
            for each in (peer, to)
            for run in self._runs(scenario, each, parameters)
        )
        pairs = [ours[repeat] / theirs[repeat] for repeat in ours if theirs.get(repeat)]
        if pairs:
            return Figure.of(pairs, kept_up=kept_up)
        if not ours or not any(theirs.values()):
            return None
        alone = statistics.median(ours.values()) / statistics.median(theirs.values())
        return Figure.of([alone], kept_up=kept_up)

    def failed(self) -> list[Run]:
        return [run for run in self.runs if run.error]

    def repeats(self) -> int:
        """The greatest number of repeats of one thing."""
        return len({run.repeat for run in self.runs})

    def _runs(self, scenario: str, peer: str, wanted: Mapping[str, Any]) -> Iterable[Run]:
        for run in self.runs:
            if run.scenario == scenario and run.peer == peer and run.matches(wanted):
                yield run

    def _by_repeat(
        self, scenario: str, peer: str, name: str, wanted: Mapping[str, Any]
    ) -> dict[int, float]:
        gathered: dict[int, list[float]] = {}
        for run in self._runs(scenario, peer, wanted):
            if name in run.figures:
                gathered.setdefault(run.repeat, []).append(float(run.figures[name]))
        return {repeat: statistics.median(values) for repeat, values in gathered.items()}


def _run(each: Mapping[str, Any]) -> Run:
    return Run(
        peer=each["peer"],
        scenario=each["scenario"],
        kind=each["kind"],
        parameters=each["parameters"],
        repeat=each["repeat"],
        # Nothing delivered leaves nothing to divide by: null is as good as absent.
        figures={name: value for name, value in each["figures"].items() if value is not None},
        error=each.get("error"),
    )
