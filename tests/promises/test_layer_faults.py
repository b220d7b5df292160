"""The channel layer is a hint: killed, emptied or hanging, it costs time and no event."""

import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from tests.nodes.room import Room
from tests.nodes.server import wait_until
from tests.promises.conftest import Cluster, Follow

POSITION_CHECK_S = 5.0
HEALED_S = 10.0  # the check's interval, a restart of Valkey, and a busy machine


@contextmanager
def steady_posts(cluster: Cluster, room: Room, every_s: float = 0.02) -> Iterator[list[float]]:
    """Messages flow through a process beside the servers; yields how long each post took."""
    took: list[float] = []
    over = threading.Event()

    def post() -> None:
        while not over.wait(every_s):
            began = time.monotonic()
            cluster.backstage("post", project=room.project, author=room.writer["id"], count=1)
            took.append(time.monotonic() - began)

    thread = threading.Thread(target=post)
    thread.start()
    try:
        wait_until(lambda: len(took) > 10, "messages to flow")
        yield took
    finally:
        over.set()
        thread.join(30)


def flowing(took: list[float], count: int) -> None:
    """Wait until that many more were posted."""
    seen = len(took)
    wait_until(lambda: len(took) > seen + count, "messages to flow on")


def flushall(path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(5)
        connection.connect(str(path))
        connection.sendall(b"FLUSHALL\r\n")
        assert connection.recv(64) == b"+OK\r\n"


def test_valkey_killed_while_messages_flow(cluster: Cluster, room: Room, follow: Follow) -> None:
    """It is started again, everyone reconnects, and what was announced to nobody is found."""
    followers = [follow(server).settle() for server in cluster.servers[:2]]
    killed = cluster.valkey
    assert killed is not None
    with steady_posts(cluster, room) as took:
        killed.kill()
        wait_until(lambda: cluster.valkey not in {None, killed}, "another valkey", HEALED_S)
        flowing(took, 10)
    head = cluster.backstage("head", stream=room.stream)
    assert head == room.head + len(took)
    for follower in followers:
        follower.wait_for(head, HEALED_S)
        assert len(follower.events) == len(took)
        assert follower.connections == 1


def test_valkey_that_forgets_everything(cluster: Cluster, room: Room, follow: Follow) -> None:
    """FLUSHALL, several times while messages flow."""
    followers = [follow(server).settle() for server in cluster.servers[:2]]
    with steady_posts(cluster, room) as took:
        for _ in range(5):
            flushall(cluster.valkey_socket)
            flowing(took, 3)
    head = room.head + len(took)
    for follower in followers:
        follower.wait_for(head, POSITION_CHECK_S)
        assert len(follower.events) == len(took)


def test_nobody_waits_for_a_valkey_that_hangs(cluster: Cluster, room: Room, follow: Follow) -> None:
    """SIGSTOP: a post answers in under a second, its own server delivers at once, and the other
    one within the position check's time."""
    followers = [follow(server).settle() for server in cluster.servers[:2]]
    process = cluster.valkey
    assert process is not None
    os.kill(process.pid, signal.SIGSTOP)
    took_s = []
    try:
        for number in range(3):
            began = time.monotonic()
            answer = httpx.post(
                f"{cluster.servers[0].http}/api/projects/{room.project}/messages/",
                json={"body": f"m{number}"},
                headers={"Authorization": room.authorization},
                timeout=10,
            )
            assert answer.status_code == 201, answer.text
            took_s.append(time.monotonic() - began)
        head = room.head + 3
        followers[0].wait_for(head, POSITION_CHECK_S)
        followers[1].wait_for(head, POSITION_CHECK_S)
    finally:
        os.kill(process.pid, signal.SIGCONT)
    assert sorted(took_s)[1] < 1, took_s  # one of three may meet a machine that is busy
    cluster.backstage("post", project=room.project, author=room.writer["id"], count=1)
    for follower in followers:
        follower.wait_for(head + 1, HEALED_S)
        assert follower.connections == 1
