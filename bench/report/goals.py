"""What the module must reach, and whether a run of the bench shows it.

Ratios are taken within one run and one repeat; what was not measured is neither reached nor missed.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from bench.report.numbers import tick
from bench.report.results import KERNEL, OURS, Figure, Results

STOCK = "daphne-pubsub"
CPU, P99 = "cpu_us_per_delivery", "p99_ms"


class Verdict(StrEnum):
    """What the table says of a goal."""

    REACHED = "reached"
    MISSED = "**not reached**"
    UNKNOWN = "not measured"


@dataclass(frozen=True)
class Goal:
    """One bar: what is asked, the bar in words, what was measured, whether that is enough."""

    what: str
    bar: str
    measured: Figure | None
    verdict: Verdict
    unit: str = ""
    note: str = ""


def _goal(
    what: str, bar: str, measured: Figure | None, *, reached: bool | None, **more: str
) -> Goal:
    if measured is None or reached is None:
        return Goal(what, bar, measured, Verdict.UNKNOWN, **more)
    return Goal(what, bar, measured, Verdict.REACHED if reached else Verdict.MISSED, **more)


def _at_most(what: str, most: float, measured: Figure | None, unit: str, note: str = "") -> Goal:
    """The median decides."""
    reached = None if measured is None else measured.median <= most
    bar = f"<= {tick(most)} {unit}".strip()
    return _goal(what, bar, measured, reached=reached, unit=unit, note=note)


def _below(what: str, most: float, measured: Figure | None, unit: str, note: str = "") -> Goal:
    reached = None if measured is None else measured.median < most
    bar = f"< {tick(most)} {unit}".strip()
    return _goal(what, bar, measured, reached=reached, unit=unit, note=note)


def _at_least(what: str, least: float, measured: Figure | None, unit: str) -> Goal:
    reached = None if measured is None else measured.median >= least
    return _goal(what, f">= {tick(least)} {unit}".strip(), measured, reached=reached, unit=unit)


def goals(results: Results) -> list[Goal]:
    """Every bar, in the order of the list that was agreed on."""
    return [
        *_fan_out(results),
        *_memory(results),
        _at_least(
            "Authenticated sockets connected a second, server on one core",
            800,
            results.figure("connects", OURS, "connects_per_s"),
            "/s",
        ),
        *_storm(results),
        *_publishes(results),
    ]


def _fan_out(results: Results) -> Iterator[Goal]:
    room = "CPU per delivery, room of 1,000, 260 B, 20 messages/s"
    times = "times"
    for to, most, name in ((KERNEL, 1.4, "the bare `send(2)` loop"), ("ws", 0.8, "Node `ws`")):
        yield _at_most(f"{room}: to {name}", most, results.ratio("room", CPU, OURS, to=to), times)
    stock = results.ratio("room", CPU, OURS, to=STOCK)
    note = "" if stock is None or stock.kept_up else "a server could not keep up at this load"
    yield _at_most(f"{room}: to stock Channels on Daphne", 0.05, stock, times, note)
    calm = results.ratio("calm", CPU, OURS, to=STOCK)
    slow = "CPU per delivery, the same room at 2 messages/s: to stock Channels on Daphne"
    yield _at_most(slow, 0.05, calm, times)
    yield _below(
        "CPU per delivery, backlog of 50 messages: to the bare loop, one send a message",
        1.0,
        results.ratio("backlog", CPU, OURS, to=KERNEL),
        times,
    )
    yield _below(
        "p99 commit to receipt, 1,000 sockets in one room, 20 durable messages/s on SQLite",
        50,
        results.figure("room", OURS, P99),
        "ms",
        "from before the send to the receipt, which includes the commit: at most this",
    )
    yield _below(
        "The p99 of that room: to Node Socket.IO, which has no database",
        1.0,
        results.ratio("room", P99, OURS, to="socketio-node"),
        times,
    )


def _memory(results: Results) -> Iterator[Goal]:
    ten, fifteen = 10_000, 15_000
    each = results.figure("idle", OURS, "kb_per_socket", sockets=ten)
    yield _at_most("10,000 idle subscribed sockets, each above the empty server", 5, each, "KB")
    for sockets, most in ((ten, 150), (fifteen, 200)):
        whole = results.figure("idle", OURS, "rss_mb", sockets=sockets)
        yield _below(f"{sockets:,} idle subscribed sockets, resident in all", most, whole, "MB")


def _storm(results: Results) -> Iterator[Goal]:
    what = "Resume storm, 5,000 sockets, 100 missed events each"
    resumed = results.figure("storm", OURS, "resumed_p99_ms", sockets=5_000)
    yield _below(f"{what}: p99", 3_000, resumed, "ms")
    lost = results.total("storm", OURS, "lost", sockets=5_000)
    counted = None if lost is None else Figure.of([lost])
    yield _at_most(f"{what}: events lost", 0, counted, "")


def publish_ratio(results: Results, case: Mapping[str, Any]) -> Figure | None:
    """Events by bare INSERTs, each run with its own."""
    ratios = [
        run.figures["events_per_s"] / run.figures["inserts_per_s"]
        for run in results.runs
        if run.scenario == "publishes" and run.figures.get("inserts_per_s") and run.matches(case)
    ]
    return Figure.of(ratios) if ratios else None


def _publishes(results: Results) -> Iterator[Goal]:
    """A row for each number of writers that it was measured with."""
    case = {"database": "postgresql", "streams": 100, "batch": 1}
    what = "Durable publishes, 100 streams, PostgreSQL"
    found = {
        run.parameters.get("threads")
        for run in results.runs
        if run.scenario == "publishes" and run.figures and run.matches(case)
    }
    for threads in sorted(found, key=str) or [None]:
        by = "" if threads is None else f", {threads} writer{'' if threads == 1 else 's'}"
        ratio = publish_ratio(results, {**case, "threads": threads}) if found else None
        yield _at_least(f"{what}{by}: to the bare INSERTs", 0.5, ratio, "times")
