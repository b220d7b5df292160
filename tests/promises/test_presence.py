"""Presence through the death of a node and of everything that the shared store knew."""

import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from tests.nodes.client import Client
from tests.nodes.room import Room
from tests.nodes.server import Server
from tests.promises.conftest import Cluster
from tests.promises.test_layer_faults import flushall

CLEARED_S = 20.0  # a lease of 14 s, and a sweep


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def follow(stack: ExitStack, server: Server, key: str, stream: str) -> Client:
    client = stack.enter_context(Client(f"{server.ws}/ws", authorization=f"Api-Key {key}"))
    client.greeted().ok("subscribe", stream=stream)
    return client


def names(client: Client, stream: str) -> list[str]:
    found: dict[str, Any] = client.ok("presence", stream=stream)
    return sorted(one["user"]["name"] for one in found["users"] or [])


def test_people_of_a_killed_node_leave_and_others_stay(
    cluster: Cluster, room: Room, stack: ExitStack
) -> None:
    """kill -9: nobody closes anything, the leases run out, and a surviving node says so once."""
    bob = cluster.backstage("person", name="bob")
    cluster.backstage("join", project=room.project, user=bob["id"])
    victim = cluster.start_server()
    watcher = follow(stack, cluster.servers[0], room.writer["key"], room.stream)
    follow(stack, victim, bob["key"], room.stream)
    assert names(watcher, room.stream) == ["ada", "bob"]
    victim.kill()
    killed = time.monotonic()
    left = watcher.wait_for("user_left", CLEARED_S)
    assert left["data"]["user"]["name"] == "bob"
    assert time.monotonic() - killed > 9.0
    assert names(watcher, room.stream) == ["ada"]


def test_store_that_forgot_everything_knows_everybody_again(
    cluster: Cluster, room: Room, stack: ExitStack
) -> None:
    """FLUSHALL: the nodes register their people anew, on both servers, and nobody was said to
    have left."""
    bob = cluster.backstage("person", name="bob")
    cluster.backstage("join", project=room.project, user=bob["id"])
    clients = [
        follow(stack, server, key, room.stream)
        for server, key in zip(cluster.servers, (room.writer["key"], bob["key"]), strict=False)
    ]
    flushall(cluster.valkey_socket)
    deadline = time.monotonic() + 8.0
    while any(names(client, room.stream) != ["ada", "bob"] for client in clients):
        assert time.monotonic() < deadline, [names(client, room.stream) for client in clients]
    for client in clients:
        assert not [frame for frame in client.frames if frame.get("type") == "user_left"]
