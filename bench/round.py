"""One server of one peer goes through its scenarios; started anew when one of them fails or was too
much for it, and for kinds that need it."""

import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any

from bench.measures import KINDS
from bench.measures.stage import Stage, set_up
from bench.peers import Peer
from bench.peers.peer import Place
from bench.record import Record
from bench.scenarios import Scenario
from bench.servers import running
from bench.valkey import forget_all

# Kinds that begin with a new server: memory above an empty one, and connects without the traces of
# an earlier crowd. Cases behind them go on with it, and with its sockets where they want the same.
ANEW = {"idle", "connects"}


class Round:
    """`cores` are the server's and the generator's, None where nothing is pinned."""

    def __init__(
        self, peer: Peer, place: Place, cores: tuple[int | None, int | None], record: Record
    ) -> None:
        self._peer = peer
        self._place = place
        self._cores = cores
        self._record = record
        self._stack = ExitStack()
        self._stage: Stage | None = None

    def run(self, scenarios: Sequence[Scenario], repeat: int) -> None:
        """Every case of every scenario; what fails is recorded with its reason."""
        with self._stack:
            for scenario in scenarios:
                for case in scenario.cases:
                    self._run_case(scenario, case, repeat)

    def _run_case(self, scenario: Scenario, case: dict[str, Any], repeat: int) -> None:
        begin = time.monotonic()
        figures: dict[str, Any] = {}
        error = None
        if scenario.kind in ANEW:
            self._end()
        try:
            stage = self._ready()
            figures = KINDS[scenario.kind](stage, case)
            if figures.get("saturated"):
                # What still waits in its queues would be the next case's, or take long to go.
                stage.server.kill()
                self._end()
            elif figures.get("closed") or stage.seated is None:
                stage.clear()
            else:
                stage.rest()
        except (RuntimeError, OSError) as failure:
            error = str(failure)
            self._end()
        described = {"scenario": scenario.series, "kind": scenario.kind, "parameters": case}
        took_s = time.monotonic() - begin
        self._record.took(scenario.name, took_s)
        self._record.add(self._peer.name, described, repeat, figures, error)
        shown = error if error is not None else _shown(figures)
        varied = "".join(f" {name}={case[name]}" for name in scenario.varied)
        print(
            f"{repeat} {self._peer.name:<16} {scenario.name}{varied}: {shown} ({took_s:.0f} s)",
            flush=True,
        )

    def _ready(self) -> Stage:
        """The stage, with a server that runs."""
        if self._stage is None:
            forget_all(self._place.redis_url)
            server = self._stack.enter_context(
                running(self._peer, self._place, core=self._cores[0])
            )
            self._stage = self._stack.enter_context(set_up(server, core=self._cores[1]))
        return self._stage

    def _end(self) -> None:
        """The next case gets a server of its own."""
        self._stage = None
        try:
            self._stack.close()
        except (RuntimeError, OSError) as failure:
            print(f"{self._peer.name}: {failure}", file=sys.stderr)


def _shown(figures: dict[str, Any]) -> str:
    names = (
        "cpu_us_per_delivery",
        "p50_ms",
        "p99_ms",
        "lost",
        "deliveries_per_s",
        "connects_per_s",
        "kb_per_socket",
        "rss_mb",
        "resumed_p99_ms",
    )
    return ", ".join(f"{name} {figures[name]}" for name in names if name in figures)
