"""Operators' calls from a thread of a serving process, with its node's loop and store."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from realtime.fleet import operations
from realtime.protocol.codes import CloseCode
from realtime.protocol.errors import NotFound, Unavailable
from realtime.security.endings import KICKED
from tests.fleet.serving import Serving, serving
from tests.nodes.server import wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from redis import Redis


pytestmark = pytest.mark.django_db  # what operators do is recorded


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
