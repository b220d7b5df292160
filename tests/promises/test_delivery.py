"""Every message once, in order, at every client; also when the client's server is killed."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
from websockets.sync.client import ClientConnection, connect

from tests.nodes.room import Room
from tests.nodes.server import Server
from tests.promises.conftest import Cluster, Follow

MESSAGES = 500
WINDOW = 16  # commands that wait at once; the server refuses above 32


class Poster:
    """One API client: commands over a socket, as many on the way as the server takes."""

    def __init__(self, socket: ClientConnection, room: Room) -> None:
        self._room = room
        self._socket = socket
        self._sent = 0
        self._answered = 0

    def post(self, count: int) -> None:
        """Send that many more; returns when all are answered."""
        goal = self._sent + count
        while self._answered < goal:
            while self._sent < goal and self._sent - self._answered < WINDOW:
                self._sent += 1
                command = {"id": self._sent, "cmd": "send_message", "stream": self._room.stream}
                content = {"body": f"m{self._sent}", "client_ref": f"m{self._sent}"}
                self._socket.send(json.dumps(command | content))
            frame = json.loads(self._socket.recv(timeout=10))
            if "reply" in frame:
                assert frame["ok"], frame
                self._answered += 1


@contextmanager
def poster_at(server: Server, room: Room) -> Iterator[Poster]:
    headers = {"Authorization": room.authorization}
    with connect(
        f"{server.ws}/ws", additional_headers=headers, compression=None, proxy=None
    ) as socket:
        yield Poster(socket, room)


def bodies(events: list[dict[str, Any]]) -> list[str]:
    return [event["data"]["message"]["body"] for event in events]


EXPECTED = [f"m{number}" for number in range(1, MESSAGES + 1)]


def test_two_servers_see_all_messages_once_in_order(
    cluster: Cluster, room: Room, follow: Follow
) -> None:
    """One client on each server, 500 messages as fast as one socket posts them."""
    here, there = (follow(server) for server in cluster.servers[:2])
    with poster_at(cluster.servers[0], room) as poster:
        poster.post(MESSAGES)
    for follower in (here, there):
        follower.wait_for(room.head + MESSAGES, 10)
        assert bodies(follower.events) == EXPECTED
        assert follower.connections == 1


def test_rest_posts_reach_both_servers(cluster: Cluster, room: Room, follow: Follow) -> None:
    """The same action behind the REST door, at the server that the poster is not on."""
    followers = [follow(server) for server in cluster.servers[:2]]
    with httpx.Client(headers={"Authorization": room.authorization}, timeout=10) as client:
        for number in range(1, 31):
            answer = client.post(
                f"{cluster.servers[1].http}/api/projects/{room.project}/messages/",
                json={"body": f"m{number}"},
            )
            assert answer.status_code == 201, answer.text
    for follower in followers:
        follower.wait_for(room.head + 30, 10)
        assert bodies(follower.events) == EXPECTED[:30]


def test_server_killed_in_the_middle_costs_nothing(
    cluster: Cluster, room: Room, follow: Follow
) -> None:
    """kill -9 of the process that a client is on: it comes back elsewhere with its cursor."""
    victim = cluster.start_server()
    survivor = cluster.servers[0]
    mover, stayer = follow(victim, survivor), follow(survivor)
    with poster_at(survivor, room) as poster:
        poster.post(MESSAGES // 2)
        assert mover.events, "expected the client to be in the middle of it"
        victim.kill()
        poster.post(MESSAGES // 2)
    for follower in (mover, stayer):
        follower.wait_for(room.head + MESSAGES, 10)
        assert bodies(follower.events) == EXPECTED
    assert (mover.connections, stayer.connections) == (2, 1)
