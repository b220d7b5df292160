"""A node's entry in the registry, against a real Valkey: written, corrected, expired, given up."""

import time
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from realtime import __version__
from realtime.fleet import directory, lease, member
from realtime.fleet.lease import Order
from realtime.fleet.records import LEASE_S, Keys, NodeState
from realtime.protocol.codes import CloseCode
from realtime.shared.store import SharedStore
from tests.fleet.conftest import Scenario
from tests.fleet.fakes import FakeNode

if TYPE_CHECKING:
    from redis import Redis


def test_node_and_its_sockets_are_found_and_forgotten(scenario: Scenario) -> None:
    """After one look they are listed with person and age; a socket that closed is not."""

    async def body(store: SharedStore) -> None:
        node = FakeNode()
        first, second = node.open(7, age_s=60), node.open(8)
        entry = node.member(store)
        await entry.look()
        [found] = await directory.nodes(store)
        assert (found.id, found.connections, found.state) == (node.id, 2, NodeState.SERVING)
        listed = await directory.connections(store)
        assert [(one.id, one.node, one.user_id) for one in listed] == [
            (first.id, node.id, 7),
            (second.id, node.id, 8),
        ]
        assert 59 < listed[0].open_s < 62
        assert [one.id for one in await directory.connections(store, user_id=8)] == [second.id]

        node.remove(first)
        await entry.look()
        assert await directory.find_connection(store, first.id) is None
        assert (await directory.nodes(store))[0].connections == 1

        node.draining = True
        await entry.look()
        assert (await directory.nodes(store))[0].state is NodeState.DRAINING
        await entry.leave()
        assert await directory.nodes(store) == []

    scenario(body)


def test_lease_runs_out_by_the_clock_of_redis(
    scenario: Scenario, redis: "Redis", monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nodes whose clocks are minutes off see the same fleet; a silent one leaves it."""

    async def body(store: SharedStore) -> None:
        slow, fast = FakeNode("slow"), FakeNode("fast")
        slow.open(1, age_s=5)
        true_time = time.time

        def shift(minutes: float) -> None:
            monkeypatch.setattr(time, "time", lambda: true_time() + minutes * 60)

        shift(-10)
        await slow.member(store).look()
        shift(+10)
        entry = fast.member(store)
        await entry.look()
        assert {node.id for node in await directory.nodes(store)} == {"slow", "fast"}
        assert all(0 <= node.up_s < 5 for node in await directory.nodes(store))
        [listed] = await directory.connections(store)
        assert 4 < listed.open_s < 7
        keys = Keys.of(store, "slow")
        for key in (keys.nodes, keys.node, keys.connections):
            assert LEASE_S - 2 < redis.pttl(key) / 1000 <= LEASE_S

        # The slow node says nothing more: its lease is moved to the past, on Redis' clock.
        redis.zadd(keys.nodes, {"slow": true_time() * 1000 - 1})
        assert [node.id for node in await directory.nodes(store)] == ["fast"]
        assert await directory.connections(store) == []
        node = FakeNode("third")
        await node.member(store).look()
        assert redis.zscore(keys.nodes, "slow") is None, "the next renewal clears what ran out"

    scenario(body)


@pytest.mark.parametrize("lost", ["everything", "connections"])
def test_what_redis_forgot_is_written_anew(
    scenario: Scenario, redis: "Redis", monkeypatch: pytest.MonkeyPatch, lost: str
) -> None:
    """FLUSHALL, or one key dropped for want of memory: complete after the next renewals."""
    monkeypatch.setattr(member, "RENEW_EVERY_S", 0.0)

    async def body(store: SharedStore) -> None:
        node = FakeNode()
        opened = {node.open(number).id for number in range(5)}
        entry = node.member(store)
        await entry.look()
        if lost == "everything":
            redis.flushall()
        else:
            redis.delete(Keys.of(store, node.id).connections)
        for _ in range(2):
            await entry.look()
        assert {one.id for one in await directory.connections(store)} == opened
        assert [found.id for found in await directory.nodes(store)] == [node.id]

    scenario(body)


def test_many_sockets_are_listed_in_batches(
    scenario: Scenario, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No script carries more than its batch; a crowd that comes and goes leaves no trace."""
    sizes: list[int] = []
    renew = lease.Lease.renew

    async def counted(self: lease.Lease, **fields: Any) -> lease.Renewal:
        sizes.append(max(len(fields["gone"]), len(fields["opened"])))
        return await renew(self, **fields)

    monkeypatch.setattr(lease.Lease, "renew", counted)

    async def body(store: SharedStore) -> None:
        node = FakeNode()
        for number in range(1200):
            node.open(number)
        entry = node.member(store)
        await entry.look()
        assert len(await directory.connections(store)) == 1200
        node.connections.clear()
        stayed = node.open(1)
        await entry.look()
        assert [one.id for one in await directory.connections(store)] == [stayed.id]

    scenario(body)
    assert max(sizes) == lease.BATCH


def test_nothing_is_written_while_nothing_changes(scenario: Scenario) -> None:
    """A look a second costs Redis nothing on a quiet node."""

    async def body(store: SharedStore) -> None:
        calls = 0
        call = store.call

        async def counted(*arguments: Any, **options: Any) -> Any:
            nonlocal calls
            calls += 1
            return await call(*arguments, **options)

        store.call = counted  # type: ignore[method-assign]
        node = FakeNode()
        entry = node.member(store)
        for _ in range(5):
            await entry.look()
        assert calls == 1

    scenario(body)


def test_dead_redis_is_said_once_and_made_good(
    scenario: Scenario, redis: "Redis", caplog: pytest.LogCaptureFixture
) -> None:
    """While it is away the node goes on; afterwards the list is whole, changes included."""

    async def body(store: SharedStore) -> None:
        node = FakeNode()
        early = node.open(1)
        entry = node.member(store)
        await entry.look()
        alive, store._redis = store._redis, type(store._redis)(host="127.0.0.1", port=1)
        late = node.open(2)
        node.remove(early)
        for _ in range(3):
            await entry.look()
        assert caplog.text.count("fleet registry away") == 1
        store._redis = alive
        store.breaker._probe_at = 0.0  # as if its wait were over
        await entry.look()
        assert [one.id for one in await directory.connections(store)] == [late.id]

    scenario(body)


def test_order_left_in_redis_is_carried_out_once(
    scenario: Scenario, redis: "Redis", monkeypatch: pytest.MonkeyPatch
) -> None:
    """The floor under the group message: found at the next renewal, for sockets that are here."""
    monkeypatch.setattr(member, "RENEW_EVERY_S", 0.0)

    async def body(store: SharedStore) -> None:
        node = FakeNode()
        kept, kicked = node.open(1), node.open(2)
        entry = node.member(store)
        await entry.look()
        key = Keys.of(store, node.id).orders
        redis.rpush(key, f'["{kicked.id}", "bye"]', '["nobody", "bye"]')
        await entry.look()
        assert kicked.closes == [(CloseCode.REVOKED, "bye")]
        assert kept.closes == []
        assert not redis.exists(key)
        assert entry.close(Order(kicked.id, "again")) is False
        assert kicked.closes == [(CloseCode.REVOKED, "bye")]

    scenario(body)


def test_nodes_tell_the_version_of_the_project() -> None:
    """The one of pyproject.toml: a rolling restart is followed by it."""
    text = (Path(__file__).parents[2] / "pyproject.toml").read_text()
    assert __version__ == tomllib.loads(text)["project"]["version"]
