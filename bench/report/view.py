"""What all parts of the page share: names, colours, tables and pictures of one run's results."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from bench.peers import all_peers
from bench.report import charts
from bench.report.numbers import cell, count, tick
from bench.report.results import KERNEL, OURS, Figure, Results
from bench.report.tables import table

CPU, P50, P99 = "cpu_us_per_delivery", "p50_ms", "p99_ms"
NOTHING = "Not measured in this run."
FOLDER = "performance"  # of the pictures, beside the page

_UNITS = {"rate": "messages/s", "size": "bytes", "seconds": "s"}


def _shown(value: object) -> str:
    return tick(value) if isinstance(value, int | float) else str(value)


@dataclass
class Section:
    """`text` is Markdown and refers to the `pictures`, which stand by file name."""

    title: str
    text: str
    pictures: Mapping[str, str] = field(default_factory=dict)


class View:
    """The results of one run, as the page shows them."""

    def __init__(self, results: Results) -> None:
        self.results = results
        self._titles = {name: peer.title for name, peer in all_peers().items()}
        self._slots = {peer: slot for slot, peer in enumerate(results.peers())}

    def title(self, peer: str) -> str:
        """What a peer calls itself; its name where it is no longer among the peers."""
        return self._titles.get(peer, peer)

    def slot(self, peer: str) -> int:
        """Of its colour, the same in all pictures; ours is 0."""
        return self._slots[peer]

    def rows(self, scenario: str, names: Sequence[str], **parameters: object) -> list[charts.Row]:
        """A row for each server that has all the figures."""
        found = []
        for peer in self.results.peers(scenario):
            figures = [self.results.figure(scenario, peer, name, **parameters) for name in names]
            measured = [figure for figure in figures if figure is not None]
            if len(measured) == len(names):
                found.append(charts.Row(self.title(peer), measured, own=peer == OURS))
        return found

    def limit(self, scenario: str, name: str) -> Figure | None:
        return self.results.figure(scenario, KERNEL, name)

    def table(
        self,
        scenario: str,
        columns: Mapping[str, str],
        counts: Mapping[str, str] | None = None,
    ) -> str:
        """A row for each server, the kernel last; `counts` are summed over the repeats."""
        results, counted = self.results, counts or {}
        measured = any(self.limit(scenario, name) for name in columns.values())
        peers = [*results.peers(scenario), *([KERNEL] if measured else [])]
        return table(
            ["server", *columns, *counted],
            [
                [
                    self.title(peer),
                    *(cell(results.figure(scenario, peer, name)) for name in columns.values()),
                    *(count(results.total(scenario, peer, name)) for name in counted.values()),
                ]
                for peer in peers
            ],
        )

    def conditions(self, scenario: str) -> str:
        """The parameters, as the runner says them; of one that varies, its value in each case."""
        cases = []
        for run in self.results.runs:
            if run.scenario == scenario and run.figures and run.parameters not in cases:
                cases.append(run.parameters)
        said = []
        for name in dict.fromkeys(name for case in cases for name in case):
            values = [_shown(case[name]) for case in cases if name in case]
            if len(set(values)) == 1:
                values = values[:1]
            said.append(f"{name} {' / '.join(values)} {_UNITS.get(name, '')}".rstrip())
        return f"Parameters: {', '.join(said)}." if said else ""

    def stars(self, scenario: str) -> str:
        """The footnote to the stars, where there is one."""
        runs = self.results.runs
        if any(run.scenario == scenario and run.figures.get("saturated") for run in runs):
            return "\\* The server could not keep up with this load in at least one repeat."
        return ""

    def section(self, scenario: str, title: str, *parts: str, **pictures: str) -> Section:
        """`parts` in their order, the pictures behind the first; then conditions and footnote."""
        files = {f"{name.replace('_', '-')}.svg": drawn for name, drawn in pictures.items()}
        shown = [f"![{title}]({FOLDER}/{name})" for name in files]
        texts = [parts[0], *shown, *parts[1:], self.stars(scenario), self.conditions(scenario)]
        return Section(title, "\n\n".join(text for text in texts if text), files)
