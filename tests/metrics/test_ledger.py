"""The numbers of several processes: added up, and never falling when one of them ends."""

import asyncio
import socket
import time
from typing import TYPE_CHECKING, Any, cast

import pytest

from realtime.metrics import ledger
from realtime.metrics.core import CONNECTS
from realtime.metrics.gauges import Numbers
from realtime.metrics.ledger import tell, telling, together, totals
from realtime.shared.store import SharedStore
from tests.fleet.conftest import Scenario

if TYPE_CHECKING:
    from redis import Redis

    from realtime.node import Node

TOLD = "t:metrics:told"


def aged(redis: "Redis", process: str, by_s: int) -> None:
    """What the process told, told so much earlier."""
    raw: Any = redis.hget(TOLD, process)
    at, _, content = raw.partition(b" ")
    redis.hset(TOLD, process, b"%d %b" % (int(at) - by_s, content))


def test_processes_are_added_up(scenario: Scenario) -> None:
    """Counts and most gauges by sum; the worst where a sum says nothing."""

    async def body(store: SharedStore) -> None:
        first = Numbers({"commands|ping": 3}, {"connections": 2, "breaker_state|ai": 0})
        second = Numbers(
            {"commands|ping": 4, "healed": 1}, {"connections": 5, "breaker_state|ai": 2}
        )
        await tell(store, first, "a")
        await tell(store, second, "b")
        await tell(store, second, "b")
        found = await together(store)
        assert found.counts == {"commands|ping": 7, "healed": 1}
        assert found.gauges == {"connections": 7, "breaker_state|ai": 2, "processes_silent": 0}
        assert found.complete
        assert found.silent == ()

    scenario(body)


@pytest.mark.parametrize("ended_s", [20, 3_700])
def test_a_process_that_ended_goes_on_counting(
    scenario: Scenario, redis: "Redis", ended_s: int
) -> None:
    """Its counts stay, also when they were folded; how it stood is nobody's state any more."""

    async def body(store: SharedStore) -> None:
        await tell(store, Numbers({"connects": 10, "closes|1000": 0}, {"connections": 9}), "ended")
        await tell(store, Numbers({"connects": 1}, {"connections": 1}), "alive")
        aged(redis, "ended", ended_s)
        for _ in range(3):
            found = await together(store)
            assert found.counts["connects"] == 11
            assert found.gauges["connections"] == 1
        assert bool(redis.hexists(TOLD, "ended")) is (ended_s < ledger.FOLD_AFTER_S)

    scenario(body)


@pytest.mark.parametrize(("silent_s", "silent"), [(10, ()), (20, ("hung",)), (400, ())])
def test_a_process_that_hangs_is_said_to_be_missing(
    scenario: Scenario, redis: "Redis", silent_s: int, silent: tuple[str, ...]
) -> None:
    """Not at once, and not for ever: after five minutes it was killed, and nobody waits for it."""

    async def body(store: SharedStore) -> None:
        await tell(store, Numbers({"connects": 10}, {"connections": 9}), "hung")
        await tell(store, Numbers({"connects": 1}, {"connections": 1}), "alive")
        aged(redis, "hung", silent_s)
        found = await together(store)
        assert found.silent == silent
        assert found.gauges["processes_silent"] == len(silent)
        assert found.counts["connects"] == 11

    scenario(body)


def test_a_process_that_stops_tells_it(scenario: Scenario, redis: "Redis") -> None:
    """Bug: what it had counted since it told last, as the closes of its stop, was lost."""

    async def body(store: SharedStore) -> None:
        task = asyncio.create_task(telling(cast("Node", FakeNode(store))))
        while not redis.hlen(TOLD):
            await asyncio.sleep(0.005)
        before = (await together(store)).counts["connects"]
        CONNECTS.total += 7
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        keys: Any = redis.hkeys(TOLD)
        [process] = keys
        aged(redis, process.decode(), 20)
        found = await together(store)
        assert found.counts["connects"] == before + 7
        assert found.silent == ()
        assert found.gauges == {"processes_silent": 0}

    scenario(body)


def test_redis_that_hangs_costs_a_second(scenario: Scenario) -> None:
    """It takes connections and says nothing: the answer comes all the same, and says so."""

    async def body(_: SharedStore) -> None:
        with socket.create_server(("127.0.0.1", 0)) as hole:
            store = SharedStore(f"redis://127.0.0.1:{hole.getsockname()[1]}", "t")
            try:
                async with asyncio.timeout(10):
                    found = await totals(cast("Node", FakeNode(store)))
            finally:
                await store.close()
        assert not found.complete
        assert found.counts == {}
        assert found.gauges["connections"] == 1

    scenario(body)


def test_processes_that_end_again_and_again_do_not_pile_up(
    scenario: Scenario, redis: "Redis", monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not an hour's worth of a worker that crashes every second."""
    monkeypatch.setattr(ledger, "MAX_ENDED", 3)

    async def body(store: SharedStore) -> None:
        for number in range(8):
            await tell(store, Numbers({"connects": 1}, {}), str(number))
            aged(redis, str(number), 20 + number)
        assert (await together(store)).counts == {"connects": 8}
        assert (await together(store)).counts == {"connects": 8}
        assert redis.hlen(TOLD) == 3

    scenario(body)


def test_two_who_fold_add_once(
    scenario: Scenario, redis: "Redis", monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both have read the same; the second finds it gone."""

    async def body(store: SharedStore) -> None:
        await tell(store, Numbers({"connects": 5}, {}), "ended")
        aged(redis, "ended", 3_700)
        raw: Any = redis.hget(TOLD, "ended")
        ended = ledger._Told.of(b"ended", raw)
        now = int(time.time())
        await ledger._fold(store, [ended], now)
        await ledger._fold(store, [ended], now)
        assert (await together(store)).counts == {"connects": 5}

    scenario(body)


def test_without_redis_there_are_no_half_sums(scenario: Scenario, redis: "Redis") -> None:
    """A part of a sum would look like a restart of everything."""

    async def body(store: SharedStore) -> None:
        redis.set(TOLD, "not a hash")
        node = cast("Node", FakeNode(store))
        found = await totals(node)
        assert not found.complete
        assert found.counts == {}
        assert found.gauges["connections"] == 1
        assert found.gauges["queue_bytes"] == 7

    scenario(body)


class FakeNode:
    """What the gauges look at: one socket that lags."""

    def __init__(self, store: SharedStore) -> None:
        self.shared = store
        writer = type("Writer", (), {"buffered": 7, "writable": False, "closed": False})
        self.connections = {type("Socket", (), {"writer": writer})}
        self.waiting = list(self.connections)
        layer = type("Layer", (), {"turns": 0, "rebuilds": 0, "unannounced": 0, "polling": True})
        watch = type("Watch", (), {"round_trip_ms": 2.0})
        self.hub = type("Hub", (), {"layer": layer, "watch": watch, "streams": {}})
