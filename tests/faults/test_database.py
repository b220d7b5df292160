"""The database away for 5 s, or locked: sockets stay, commands are answered, all goes on after."""

import itertools
import signal
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import psutil
import pytest
from websockets.exceptions import ConnectionClosed

from tests.faults.processes import PostgresServer
from tests.faults.proxy import Proxy
from tests.nodes.backstage import Backstage
from tests.nodes.client import Client, assert_unbroken
from tests.nodes.installation import Installation, temporary_installation
from tests.nodes.server import Server, running, wait_until
from tests.postgres import temporary_postgres

AWAY_S = 5.0
ANSWER_S = 8.5  # the limit of everything that waits for the database, and a busy machine
BACK_S = 6.0  # the pool connects again, and the next position check comes round
HANGS_S = 30.0  # an answer that takes so long will never come
REFUSED_S = 10.5  # a request: the limit, the pool's 2 s, and a busy machine
READY_S = 5.0
POOL = 20
HEARTBEAT_S = 1.0
SERVING = {"REDIS_URL": "memory://", "DRAIN_WINDOW": "0"}


class Scene:
    """A server and a process behind the stage; the latter reaches the database directly."""

    def __init__(self, server: Server, backstage: Backstage) -> None:
        self.server, self.backstage = server, backstage
        team = backstage("team")
        self.project = team["project"]
        self.people = team["people"]
        self.stream = f"project.{self.project}"
        self.authorization = f"Api-Key {self.people['ada']['key']}"

    def client(self) -> Client:
        return Client(f"{self.server.ws}/ws", authorization=self.authorization).greeted()

    def post_behind(self) -> int:
        author = self.people["ada"]["id"]
        return int(self.backstage("post", project=self.project, author=author, count=1))


@contextmanager
def playing(installation: Installation, **server: str) -> Iterator[Scene]:
    with Backstage(installation) as backstage:
        backstage("head", stream="system")  # answered once the database is there
        beat = str(HEARTBEAT_S)
        with running(Server(installation, WEBSOCKET_HEARTBEAT_INTERVAL=beat, **server)) as (node,):
            yield Scene(node, backstage)


@dataclass(frozen=True)
class Far:
    """`link` is the network between the server of `scene` and its `postgres`."""

    scene: Scene
    link: Proxy
    postgres: PostgresServer


@pytest.fixture(scope="module")
def far(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Far]:
    """A server that reaches its PostgreSQL through a proxy."""
    with ExitStack() as stack:
        url = stack.enter_context(temporary_postgres())
        found = urlsplit(url)
        link = stack.enter_context(Proxy((found.hostname or "", found.port or 0)))
        folder = tmp_path_factory.mktemp("far")
        plain = stack.enter_context(temporary_installation(folder, **SERVING))
        installation = Installation({**plain.environment, "DATABASE_URL": url})
        proxied = found._replace(netloc=f"postgres@127.0.0.1:{link.port}").geturl()
        scene = stack.enter_context(playing(installation, DATABASE_URL=proxied))
        yield Far(scene, link, PostgresServer(url))


def gaps_s(client: Client) -> list[float]:
    """Seconds between heartbeats, by the server's clock."""
    moments = [_seconds(beat["ts"]) for beat in client.heartbeats]
    return [later - earlier for earlier, later in itertools.pairwise(moments)]


def _seconds(ts: str) -> float:
    hours, minutes, seconds = ts.rstrip("Z").split("T")[1].split(":")
    return int(hours) * 3600 + int(minutes) * 60 + float(seconds)


def send(client: Client, scene: Scene, ref: str) -> tuple[dict[str, Any], float]:
    """One message; the reply and how long it took."""
    began = time.monotonic()
    command = {"stream": scene.stream, "body": ref, "client_ref": ref}
    reply = client.reply(client.start("send_message", **command), ANSWER_S)
    return reply, time.monotonic() - began


def until_stored(client: Client, scene: Scene, ref: str) -> None:
    """Send the same message until it is answered positively, as a client does."""
    deadline = time.monotonic() + BACK_S
    while not (reply := send(client, scene, ref)[0])["ok"]:
        assert time.monotonic() < deadline, reply
        time.sleep(0.2)  # a client's own pause


def test_database_cut_off_for_five_seconds(far: Far) -> None:
    """Connections are reset and refused, as by a restart: `unavailable`, soon without waiting."""
    scene, link = far.scene, far.link
    with scene.client() as client:
        head = client.ok("subscribe", stream=scene.stream)["head"]
        stored = scene.backstage("count_messages", project=scene.project)
        link.cut()
        until = time.monotonic() + AWAY_S
        took: list[float] = []
        try:
            client.ok("mark_read", stream=scene.stream, seq=head)
            while time.monotonic() < until:
                reply, seconds = send(client, scene, f"cut {len(took)}")
                assert reply["error"]["code"] == "unavailable", reply
                assert reply["error"]["temporary"] is True
                took.append(seconds)
                time.sleep(0.05)  # a client's own pause
            answer = scene.server.request(
                "GET", f"/api/projects/{scene.project}/", authorization=scene.authorization
            )
            assert answer.status_code == 503, answer.text
            behind = scene.post_behind()
        finally:
            link.restore()
        client.wait_for_seq(scene.stream, behind, BACK_S)
        until_stored(client, scene, "cut 0")
        read = client.wait_for("message_read", BACK_S)  # the sweep has kept it
        assert read["data"]["reads"]
        client.flushed()
        assert_unbroken(client.seqs(scene.stream), head + 1, client.seqs(scene.stream)[-1])
        assert scene.backstage("count_messages", project=scene.project) == stored + 2
        assert max(took) < 3.0, took
        assert sorted(took)[len(took) // 2] < 0.1, took
        assert max(gaps_s(client)) < HEARTBEAT_S + 1.5


def test_database_that_hangs_for_five_seconds(far: Far) -> None:
    """Nothing comes back for a while: every command is answered within the limit all the same."""
    scene, link = far.scene, far.link
    with scene.client() as client, scene.client() as other:
        for one in (client, other):
            head = one.ok("subscribe", stream=scene.stream)["head"]
        link.stall()
        timer = threading.Timer(AWAY_S, link.restore)
        timer.start()
        try:
            assert client.ok("ping")
            reply, seconds = send(client, scene, "hanging")
            assert seconds < ANSWER_S
            assert reply["ok"] or reply["error"]["code"] == "unavailable", reply
        finally:
            timer.join()
        until_stored(client, scene, "hanging")
        behind = scene.post_behind()
        for one in (client, other):
            one.wait_for_seq(scene.stream, behind, BACK_S)
            one.flushed()
            assert_unbroken(one.seqs(scene.stream), head + 1, behind)
            assert max(gaps_s(one)) < HEARTBEAT_S + 1.5


def refused(far: Far, method: str, json: object = None) -> float:
    """A request to the messages of the project is told that the database is away; how long that
    took, in seconds."""
    scene, began = far.scene, time.monotonic()
    answer = httpx.request(
        method,
        f"{scene.server.http}/api/projects/{scene.project}/messages/",
        headers={"Authorization": scene.authorization},
        json=json,
        timeout=HANGS_S,
    )
    assert answer.status_code == 503, answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.headers["Retry-After"] == "1"
    problem = answer.json()
    assert (problem["code"], problem["temporary"]) == ("unavailable", True)
    return time.monotonic() - began


def answered(far: Far) -> bool:
    """As many requests at once as the pool has connections are served."""
    path = f"/api/projects/{far.scene.project}/messages/"

    def ask(_: int) -> int:
        authorization = far.scene.authorization
        return far.scene.server.request("GET", path, authorization=authorization).status_code

    with ThreadPoolExecutor(POOL) as many:
        return set(many.map(ask, range(POOL))) == {200}


@pytest.mark.parametrize("fault", ["stopped", "black hole"])
def test_everybody_is_answered_while_nothing_comes_back(far: Far, fault: str) -> None:
    """A server that was stopped, or a network that swallows all, refuses nothing: without limits
    of our own, requests waited for as long as that lasted, and in a black hole for ever."""
    scene = far.scene
    with scene.client() as client:
        head = client.ok("subscribe", stream=scene.stream)["head"]
        assert answered(far)  # and every connection of the pool is there to be lost
        process = psutil.Process(scene.server.process.pid)
        threads = process.num_threads()
        if fault == "stopped":
            far.postgres.send(signal.SIGSTOP, whole=True)
        else:
            far.link.black_hole()
        try:
            with ThreadPoolExecutor(POOL + 10) as many:
                asking = [many.submit(refused, far, "GET") for _ in range(POOL + 4)]
                asking += [many.submit(refused, far, "POST", {"body": "b"}) for _ in range(4)]
                reply, seconds = send(client, scene, fault)
                assert (reply["ok"], reply["error"]["code"]) == (False, "unavailable"), reply
                assert reply["error"]["temporary"] is True
                assert seconds < ANSWER_S
                took = [asked.result() for asked in asking]
            assert max(took) < REFUSED_S, sorted(took)
            ready = scene.server.request("GET", "/health/ready")
            assert ready.status_code == 503
            assert ready.elapsed.total_seconds() < READY_S
        finally:
            far.postgres.send(signal.SIGCONT, whole=True)
            far.link.restore()
        until_stored(client, scene, fault)
        wait_until(lambda: answered(far), "the pool to be whole again", BACK_S)
        behind = scene.post_behind()
        client.wait_for_seq(scene.stream, behind, BACK_S)
        client.flushed()
        assert_unbroken(client.seqs(scene.stream), head + 1, behind)
        assert max(gaps_s(client)) < HEARTBEAT_S + 1.5
        wait_until(lambda: process.num_threads() <= threads + POOL, "no thread to be stuck", BACK_S)


def test_sockets_that_come_while_it_is_away_are_told_when_to_return(
    far: Far,
) -> None:
    """4503 with a delay of their own, and a place afterwards."""
    scene, link = far.scene, far.link
    link.cut()
    try:
        with Client(f"{scene.server.ws}/ws", authorization=scene.authorization) as client:
            code, reason = client.closed(ANSWER_S)
    finally:
        link.restore()
    assert code == 4503
    assert "retry_after_ms" in reason

    deadline = time.monotonic() + BACK_S
    while not admitted(scene.client):
        assert time.monotonic() < deadline, "expected a place after the database's return"


def admitted(connect: Callable[[], Client]) -> bool:
    try:
        with connect() as client:
            return bool(client.ok("ping"))
    except ConnectionClosed:
        return False


def test_sqlite_file_locked_by_another_process(tmp_path: Path) -> None:
    """A writer waits its 3 s; readers, other sockets and heartbeats do not."""
    with ExitStack() as stack:
        plain = stack.enter_context(temporary_installation(tmp_path, **SERVING))
        file = tmp_path / "db.sqlite3"
        installation = Installation({**plain.environment, "DATABASE_URL": f"sqlite:///{file}"})
        scene = stack.enter_context(playing(installation))
        writer, reader = (stack.enter_context(scene.client()) for _ in range(2))
        for one in (writer, reader):
            head = one.ok("subscribe", stream=scene.stream)["head"]
        locker = sqlite3.connect(file, isolation_level=None, timeout=5)
        locker.execute("BEGIN IMMEDIATE")
        began = time.monotonic()
        waiting = writer.start(
            "send_message", stream=scene.stream, body="waits", client_ref="waits"
        )
        asked: list[float] = []
        while time.monotonic() < began + 3.0:
            asking = time.monotonic()
            reader.ok("history", stream=scene.stream)
            asked.append(time.monotonic() - asking)
            time.sleep(0.1)  # the pace of asking
        locker.execute("ROLLBACK")
        locker.close()
        reply = writer.reply(waiting, ANSWER_S)
        assert reply["ok"], reply
        assert time.monotonic() - began >= 3.0
        assert max(asked) < 1.0, asked
        reader.wait_for_seq(scene.stream, head + 1)
        assert max(gaps_s(reader)) < HEARTBEAT_S + 1.5
