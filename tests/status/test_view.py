"""The whole out of its parts; and one part as a process looks at it."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from realtime.components import Component, Finding, Look, Measure, Merge, Scope, State, components
from realtime.database import DatabaseAway
from realtime.protocol.errors import Unavailable
from status.exchange import MemberView
from status.models import MemberKind
from status.view import report_of, view_of
from status.watch import Watch


def part(
    name: str, scope: Scope, look: Callable[[], Awaitable[Finding | None]], **more: Any
) -> Component:
    def probe(node: object) -> Look:
        return look

    measures = (Measure("load", "", "sum", Merge.SUM), Measure("free", "", "min", Merge.MIN))
    fields = {"every_s": 5.0, "limit_s": 0.05, "meaning": {}, "measures": measures, **more}
    return Component(name=name, label=name, scope=scope, probe=probe, **fields)


def member(name: str, **findings: Finding) -> MemberView:
    return MemberView(name, MemberKind.NODE, report_of(findings))


def test_the_worst_state_is_the_systems() -> None:
    """Of several processes; with the text of the one that says it."""
    known = components()
    view = view_of(
        known,
        [
            member("a", cpu=Finding(State.OK), sockets=Finding(State.OK, "", {"count": 3})),
            member(
                "b",
                cpu=Finding(State.DEGRADED, "busy"),
                sockets=Finding(State.OK, "", {"count": 4}),
            ),
        ],
        report_of({"redis": Finding(State.OK, "", {"clients": 2})}),
    )
    assert view.health["parts"] == {"redis": "ok", "sockets": "ok", "cpu": "degraded"}
    assert view.texts == {"cpu": "busy"}
    assert view.state is State.DEGRADED
    assert view.nodes == 2
    assert view.values["sockets.count"] == 7  # summed, as it declares
    assert view.values["cpu.state"] == 1
    assert view.of_members["a"]["sockets.count"] == 3


def test_only_vital_parts_take_the_system_down() -> None:
    """Without Redis everything goes on; without a database nothing does."""
    redis = view_of(components(), [], report_of({"redis": Finding(State.DOWN)}))
    assert redis.state is State.DEGRADED
    database = view_of(components(), [member("a", database=Finding(State.DOWN))], {})
    assert database.state is State.DOWN


def test_reports_of_another_version_are_left_out() -> None:
    """A component that this program does not know, and one that is not the process's to report."""
    report = report_of({"warp_core": Finding(State.DOWN), "redis": Finding(State.DOWN)})
    view = view_of(components(), [MemberView("a", MemberKind.NODE, report)], {})
    assert view.parts == {}
    assert view.state is State.OK


def test_unknown_is_no_state_to_be_measured() -> None:
    """It neither hides a worse one nor counts as good."""
    view = view_of(
        components(),
        [member("a", database=Finding(State.UNKNOWN)), member("b", database=Finding(State.DOWN))],
        report_of({"jobs": Finding(State.UNKNOWN)}),
    )
    assert view.health["parts"] == {"database": "down", "jobs": "unknown"}
    assert "jobs.state" not in view.values


async def hang() -> Finding:
    await asyncio.Event().wait()
    raise AssertionError


async def divide() -> Finding:
    return Finding(State.OK, "", {"load": 1 / 0})


async def away() -> Finding:
    raise DatabaseAway("no database")


async def busy() -> Finding:
    raise Unavailable("a lock was held")


@pytest.mark.parametrize(
    ("look", "state", "text"),
    [
        (hang, State.DOWN, "no answer within 0.05 s"),
        (divide, State.DOWN, "looking at it failed: ZeroDivisionError"),
        (away, State.UNKNOWN, "what it rests on does not answer"),
        (busy, State.DEGRADED, "a lock was held"),
    ],
)
def test_whatever_a_probe_does_is_a_finding(
    look: Callable[[], Awaitable[Finding]], state: State, text: str
) -> None:
    """It hangs, raises, or the database is away: the monitor goes on."""

    async def scenario() -> None:
        watch = Watch(part("x", Scope.NODE, look), None, lambda watch, changed: None)
        await watch.start()
        assert watch.finding == Finding(state, text)

    asyncio.run(scenario())


def test_looks_do_not_overlap_and_changes_are_told() -> None:
    """A slow look is not begun twice; only another state is a change."""

    async def scenario() -> None:
        found = iter([Finding(State.OK, "1"), Finding(State.OK, "2"), Finding(State.DOWN), None])
        begun = 0
        go = asyncio.Event()

        async def look() -> Finding | None:
            nonlocal begun
            begun += 1
            await go.wait()
            return next(found)

        changes: list[bool] = []
        watch = Watch(
            part("x", Scope.NODE, look, limit_s=5.0),
            None,
            lambda watch, changed: changes.append(changed),
        )
        assert watch.start() is watch.start()
        await asyncio.sleep(0)
        assert begun == 1
        go.set()
        for _ in range(4):
            await watch.start()
        assert changes == [True, False, True, True]
        watch.start_if_due()  # 5 s are not over
        await asyncio.sleep(0)
        assert begun == 4

    asyncio.run(scenario())


def test_every_component_says_what_its_states_mean() -> None:
    """The registry is what the docs, the dashboard and the rules are made from."""
    assert {"database", "channel_layer", "redis", "event_log", "jobs", "ai", "memory_store"} <= set(
        components()
    )
    for component in components().values():
        assert {State.DEGRADED, State.DOWN} <= set(component.meaning)
        assert component.limit_s > 0
        assert component.measures
        names = [measure.name for measure in component.measures]
        assert len(set(names)) == len(names)
        assert "state" not in names
