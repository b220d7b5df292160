"""Operators' calls from a thread of a serving process, with its node's loop and store."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from realtime import node as node_module
from realtime.fleet import operations
from realtime.protocol.codes import CloseCode
from realtime.protocol.errors import NotFound, Unavailable
from realtime.security.endings import KICKED
from realtime.shared.store import SharedStore
from tests.fleet.fakes import FakeConnection, FakeNode
from tests.nodes.server import wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from redis import Redis


pytestmark = pytest.mark.django_db  # what operators do is recorded


class Serving:
    """A loop in a thread of its own with two nodes; the first is this process's."""

    def __init__(self, address: str | None) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever)
        self._thread.start()
        self.here, self.elsewhere = self.do(self._begin(address))

    async def _begin(self, address: str | None) -> tuple[FakeNode, FakeNode]:
        self.stores = [SharedStore(address, "t") if address else None for _ in range(2)]
        nodes = (FakeNode(), FakeNode())
        for node, store in zip(nodes, self.stores, strict=True):
            node.shared = store
            node.fleet = node.member(store)
        return nodes

    def do(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(10)

    def open(self, node: FakeNode, user_id: int) -> FakeConnection:
        """A socket on that node, listed."""

        async def opened() -> FakeConnection:
            connection = node.open(user_id)
            await node.fleet.look()
            return connection

        found: FakeConnection = self.do(opened())
        return found

    def stop(self) -> None:
        async def close() -> None:
            for store in self.stores:
                if store is not None:
                    await store.close()

        self.do(close())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
        self.loop.close()


@contextmanager
def serving(monkeypatch: pytest.MonkeyPatch, address: str | None) -> Iterator[Serving]:
    found = Serving(address)
    monkeypatch.setattr(node_module, "_node", found.here)
    try:
        yield found
    finally:
        found.stop()


@pytest.fixture
def nodes(monkeypatch: pytest.MonkeyPatch, redis: "Redis", valkey: "Path") -> Iterator[Serving]:
    """The layer is away, as far as these two know: only the floor carries orders."""
    monkeypatch.setattr(operations, "get_channel_layer", lambda: None)
    with serving(monkeypatch, f"unix://{valkey}") as found:
        yield found


def test_both_nodes_are_seen_from_a_thread(nodes: Serving) -> None:
    nodes.open(nodes.here, 1)
    there = nodes.open(nodes.elsewhere, 2)
    assert {node.id for node in operations.list_nodes()} == {nodes.here.id, nodes.elsewhere.id}
    assert [one.id for one in operations.list_connections(2)] == [there.id]


def test_own_socket_is_closed_at_once(nodes: Serving) -> None:
    """Whether it is listed yet or not."""
    connection = nodes.here.open(1)
    operations.close_connection(connection.id, "bye")
    assert connection.closes == [(CloseCode.REVOKED, "bye")]


def test_socket_elsewhere_is_closed_although_the_message_is_lost(nodes: Serving) -> None:
    """The order waits in Redis for the node's next renewal."""
    connection = nodes.open(nodes.elsewhere, 1)
    operations.close_connection(connection.id)
    assert connection.closes == []
    nodes.elsewhere.fleet._renew_at = 0.0  # five seconds later

    def closed() -> bool:
        nodes.do(nodes.elsewhere.fleet.look())
        return bool(connection.closes)

    wait_until(closed, "the order to be carried out")
    assert connection.closes == [(CloseCode.REVOKED, KICKED)]


def test_reason_fits_a_close_frame(nodes: Serving) -> None:
    """At most 123 bytes of whole characters (RFC 6455, section 5.5)."""
    connection = nodes.here.open(1)
    operations.close_connection(connection.id, "ü" * 100)
    [(_, reason)] = connection.closes
    assert reason == "ü" * 60


def test_nobody_has_it(nodes: Serving) -> None:
    with pytest.raises(NotFound, match="expected an open connection, got 'nowhere'"):
        operations.close_connection("nowhere")


def test_nodes_that_share_nothing_say_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """With memory:// the process sees its own sockets and no others."""
    with serving(monkeypatch, None) as alone:
        own = alone.here.open(1)
        operations.close_connection(own.id)
        assert own.closes
        with pytest.raises(Unavailable, match="REDIS_URL: expected a Redis that nodes share"):
            operations.list_nodes()
