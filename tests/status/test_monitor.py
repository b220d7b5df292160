"""The monitor of a process: what its readers hear, also while the database is away."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from django.utils import timezone

from realtime import publisher
from realtime.components import Component, Finding, Look, Measure, Scope, State
from realtime.database import DatabaseAway
from realtime.models import Event
from status import alone as alone_module
from status import monitor as monitor_module
from status import view as view_module
from status.exchange import exchange
from status.models import AlertRule, Board, Member, Sample
from status.monitor import Monitor
from status.probes import jobs

pytestmark = pytest.mark.django_db(transaction=True)

DEADLINE_S = 20.0


class Stage:
    """Two parts whose states a test sets, and what readers of `status` on this node heard.

    The node is no server: it has an id and one follower of `status`, which is all that a monitor
    looks at beside what probes do.
    """

    def __init__(self) -> None:
        self.states = {"database": State.OK, "thing": State.OK}
        self.heard: list[dict[str, Any]] = []
        self.away = False
        stream = SimpleNamespace(audience=[object()])
        self.node: Any = SimpleNamespace(
            id="node-1", hub=SimpleNamespace(streams={"status": stream})
        )
        self.components = {
            "database": self._part("database", Scope.NODE, vital=True),
            "thing": self._part("thing", Scope.SYSTEM),
        }

    def _part(self, name: str, scope: Scope, **more: Any) -> Component:
        async def look() -> Finding:
            return Finding(self.states[name], f"{name} as set", {"load": 1.0})

        def probe(node: object) -> Look:
            return look

        measures = (Measure("load", "", "one"),)
        return Component(
            name=name,
            label=name,
            scope=scope,
            every_s=0.02,
            limit_s=1.0,
            meaning={},
            measures=measures,
            probe=probe,
            **more,
        )

    def hear(self, stream: str, after: int, frame: bytes) -> None:
        assert stream == "status"
        self.heard.append(json.loads(frame))

    def exchange(self, *arguments: Any) -> Any:
        """As the real one, or as it is while nobody reaches the database."""
        if self.away:
            raise DatabaseAway("no database")
        return exchange(*arguments)

    def updates(self) -> list[dict[str, Any]]:
        return [one["data"] for one in self.heard if one["type"] == "system_status_update"]

    def told(self, name: str) -> list[dict[str, Any]]:
        return [one for one in self.heard if one["type"] == name]

    async def until(self, condition: Callable[[], object]) -> None:
        async with asyncio.timeout(DEADLINE_S):
            while not condition():
                await asyncio.sleep(0.01)

    def run(self, scenario: Callable[[Monitor], Awaitable[None]]) -> None:
        """Beside a monitor that runs."""

        async def whole() -> None:
            monitor = Monitor(self.node)
            task = asyncio.create_task(monitor.run())
            try:
                await scenario(monitor)
            finally:
                task.cancel()
                await asyncio.wait({task})

        asyncio.run(whole())


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> Any:
    stage = Stage()
    for module in (monitor_module, view_module):
        monkeypatch.setattr(module, "components", lambda: stage.components)
    monkeypatch.setattr(monitor_module, "exchange", stage.exchange)
    monkeypatch.setattr(monitor_module, "EXCHANGE_EVERY_S", 0.05)
    monkeypatch.setattr(monitor_module, "LOOK_EVERY_S", 0.01)
    monkeypatch.setattr(alone_module, "ROUND_EVERY_S", 0.05)
    # A busy machine must not be taken for a database that is away.
    monkeypatch.setattr(monitor_module, "DATABASE_LIMIT_S", DEADLINE_S)
    monkeypatch.setattr(monitor_module, "LEAVE_LIMIT_S", DEADLINE_S)
    AlertRule.objects.all().delete()
    publisher.attach_local_hub(lambda *_: None, stage.hear)
    try:
        yield stage
    finally:
        publisher.detach_local_hub()


def test_a_change_is_told_and_stands_on_the_board(stage: Stage) -> None:
    """Numbers come all the time, the state when it changes; at the end the process is gone."""

    def on_board() -> Any:
        return Board.objects.get(pk=1).view.get("parts")

    async def scenario(monitor: Monitor) -> None:
        await stage.until(lambda: any(one["type"] == "metrics_update" for one in stage.heard))
        assert monitor.holds
        count = len(stage.updates())
        stage.states["thing"] = State.DOWN
        await stage.until(lambda: len(stage.updates()) > count)
        last = stage.updates()[-1]
        assert last["state"] == "degraded"
        assert last["parts"] == {"database": "ok", "thing": "down"}
        assert last["texts"] == {"thing": "thing as set"}
        stage.states["database"] = State.DOWN
        await stage.until(lambda: stage.updates()[-1]["state"] == "down")
        versions = [one["version"] for one in stage.updates()]
        assert versions == sorted(versions)
        async with asyncio.timeout(DEADLINE_S):
            while await asyncio.to_thread(on_board) != {"database": "down", "thing": "down"}:
                await asyncio.sleep(0.01)  # it is written after the signal

    stage.run(scenario)
    assert Board.objects.get(pk=1).holder == ""
    assert not Member.objects.exists()


def database_rule() -> AlertRule:
    return AlertRule.objects.create(
        name="database.down",
        component="database",
        text="away",
        expression="database.state",
        threshold=2,
        duration_s=0.1,
        clear_after_s=0.1,
    )


def alerts_written() -> list[dict[str, Any]]:
    rows = Event.objects.filter(stream__name="status", type="performance_alert")
    frames = rows.order_by("seq").values_list("frame", flat=True)
    return [json.loads(bytes(frame))["data"] for frame in frames]


async def until_written(*states: str) -> list[dict[str, Any]]:
    async with asyncio.timeout(DEADLINE_S):
        while True:
            found = await asyncio.to_thread(alerts_written)
            if [one["state"] for one in found] == list(states):
                return found
            await asyncio.sleep(0.02)


def test_while_the_database_is_away_readers_hear_it_and_the_alert_is_written_later(
    stage: Stage,
) -> None:
    """One alert, told when it opened, written with that time, and closed after the outage."""
    database_rule()

    async def scenario(monitor: Monitor) -> None:
        await stage.until(lambda: monitor.holds and stage.heard and monitor.alone.rules)
        stage.away = True
        await stage.until(lambda: stage.updates() and stage.updates()[-1]["state"] == "down")
        last = stage.updates()[-1]
        assert last["parts"]["database"] == "down"
        assert last["version"] is None
        outage = monitor.alone.outage
        assert outage is not None
        assert outage.parts["database"] is State.DOWN
        await stage.until(lambda: stage.told("performance_alert"))
        [ahead] = stage.told("performance_alert")
        assert (ahead["data"]["state"], ahead["data"]["id"]) == ("opened", None)
        assert "seq" not in ahead
        heard = len(stage.updates())
        stage.away = False
        await stage.until(lambda: len(stage.updates()) > heard)
        assert stage.updates()[-1]["parts"]["database"] == "ok"
        assert monitor.alone.outage is None
        assert monitor.alone.newly_over
        opened, closed = await until_written("opened", "closed")
        assert opened["opened_at"] == closed["opened_at"] == ahead["data"]["opened_at"]

    stage.run(scenario)


def test_the_node_that_takes_the_board_after_an_outage_writes_its_alert(stage: Stage) -> None:
    """Another node held the board when the database went, and did not come back: its rounds went
    with it, and the outage was never recorded."""
    database_rule()
    Board.objects.update(holder="node-0", until=timezone.now() + timedelta(hours=1))

    async def scenario(monitor: Monitor) -> None:
        await stage.until(lambda: monitor.alone.rules)
        assert not monitor.holds
        stage.away = True
        await stage.until(lambda: stage.told("performance_alert"))
        await asyncio.to_thread(Board.objects.update, until=timezone.now())
        stage.away = False
        await until_written("opened", "closed")

    stage.run(scenario)


def test_a_look_on_request_sees_what_is_now(stage: Stage) -> None:
    """Not what was found at the last time."""
    stage.components = {
        name: Component(
            **{field: getattr(one, field) for field in one.__slots__} | {"every_s": 600.0}
        )
        for name, one in stage.components.items()
    }

    async def scenario(monitor: Monitor) -> None:
        await stage.until(lambda: monitor.holds and stage.heard)
        await stage.until(lambda: all(watch.looked for watch in monitor.active()))
        stage.states["thing"] = State.DEGRADED
        health = await monitor.check()
        assert health["parts"] == {"database": "ok", "thing": "degraded"}

    stage.run(scenario)


def test_samples_are_written(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of steps that are over, with the component's measures and its state."""
    monkeypatch.setattr(monitor_module, "STORE_EVERY_S", 0.0)

    async def scenario(monitor: Monitor) -> None:
        async with asyncio.timeout(DEADLINE_S + 10):
            while not await asyncio.to_thread(Sample.objects.exists):
                await asyncio.sleep(0.05)

    stage.run(scenario)
    rows = {row.component: row for row in Sample.objects.all()}
    assert set(rows) == {"database", "thing"}
    assert set(rows["thing"].totals) == {"load", "state"}
    assert {row.member for row in rows.values()} == {"node-1"}


def test_one_probe_that_fails_costs_nothing_else(stage: Stage) -> None:
    """The part is down, with the class of the error; the monitor goes on."""

    async def broken() -> Finding:
        return Finding(State.OK, "", {"load": 1 / 0})

    thing = stage.components["thing"]
    fields = {field: getattr(thing, field) for field in thing.__slots__}
    stage.components["thing"] = Component(**fields | {"probe": lambda node: broken})

    async def scenario(monitor: Monitor) -> None:
        await stage.until(
            lambda: (
                stage.updates()
                and stage.updates()[-1]["texts"].get("thing")
                == "looking at it failed: ZeroDivisionError"
            )
        )

    stage.run(scenario)


def test_workers_have_time_to_say_that_they_live_after_an_outage(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """None could while the database was away: its outage was an alert of the jobs as well."""
    monitor = SimpleNamespace(alone=SimpleNamespace(newly_over=True))
    monkeypatch.setattr(jobs, "process_monitor", lambda: monitor)
    assert asyncio.run(jobs.look()).state is State.UNKNOWN
    monitor.alone.newly_over = False
    assert asyncio.run(jobs.look()).state is State.DOWN
