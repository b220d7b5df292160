"""The load generator counts what a server did, good or bad: lost, repeated, late, refused."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection, serve

from bench.load import compiler
from bench.load.generator import Generator
from bench.peers.kernel import Kernel, KernelJoined
from bench.peers.peer import BODY, Peer, Place, Script
from bench.servers import accepts, free_port, running

pytestmark = pytest.mark.skipif(compiler.compiler() is None, reason=compiler.INSTALL)

# Is given the writer's socket and a body.
Handler = Callable[["Hall", ServerConnection, str], Any]


class Scripted(Peer):
    """A server of this test: greets with `hello`, joins on `join`, and does what a handler says."""

    name = "scripted"
    title = "scripted"
    answers = (("are you there", "yes"),)
    refusal = "refused"

    def reader(self, number: int, room: int) -> Script:
        return Script("/", (("hello", "join"), ("joined", "")), ("X-Number: 7",))

    def message(self, room: int) -> str:
        return f"say {BODY}"


class Hall:
    """All sockets of a scripted server, and every text that came."""

    def __init__(self) -> None:
        self.sockets: list[ServerConnection] = []
        self.texts: list[str] = []
        self.headers: list[str] = []


@contextmanager
def scripted(say: Handler, hall: Hall) -> Iterator[int]:
    """Its port. `say` is called with each body."""
    started: Future[int] = Future()
    stopped = asyncio.Event()
    loop = asyncio.new_event_loop()

    async def handle(socket: ServerConnection) -> None:
        assert socket.request is not None
        hall.headers.append(socket.request.headers.get("X-Number", ""))
        await socket.send("hello")
        async for text in socket:
            assert isinstance(text, str)
            hall.texts.append(text)
            if text == "join":
                await socket.send("joined")
                hall.sockets.append(socket)
            elif text.startswith("say "):
                await say(hall, socket, text[4:])

    async def run() -> None:
        async with serve(handle, "127.0.0.1", 0, compression=None) as server:
            started.set_result(server.sockets[0].getsockname()[1])
            await stopped.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(run(),))
    thread.start()
    try:
        yield started.result(10)
    finally:
        loop.call_soon_threadsafe(stopped.set)
        thread.join(10)
        loop.close()


def published(say: Handler, messages: int = 3, size: int = 60) -> tuple[dict[str, Any], Hall]:
    """What two sockets of a scripted server saw of that many messages by the first."""
    hall = Hall()
    peer = Scripted()
    with scripted(say, hall) as port, Generator(peer, port, core=None) as generator:
        generator.add(peer.reader(0, 0), 0, message=peer.message(0))
        generator.add(peer.reader(1, 0), 0)
        assert generator.connect(1)["joined"] == 2
        generator.window(5)
        generator.publish(messages, burst=1, interval_s=0.01, size=size, base=5)
        return generator.collect(2 * messages, quiet_s=0.3, limit_s=5), hall


def test_every_delivery_counts_once_per_socket() -> None:
    """And the sockets had sent their headers and steps, and the bodies have their size."""

    async def say(hall: Hall, socket: ServerConnection, body: str) -> None:
        for one in hall.sockets:
            await one.send(f'{{"body":"{body}"}}')

    found, hall = published(say)
    assert (found["deliveries"], found["repeated"], found["stale"]) == (6, 0, 0)
    assert 0 < found["latency_p50_ms"] <= found["latency_p99_ms"] <= found["latency_max_ms"] < 5000
    assert hall.headers == ["7", "7"]
    assert [len(text) for text in hall.texts if text != "join"] == [64, 64, 64]


@pytest.mark.parametrize(
    ("fault", "figure"),
    [("drop", "deliveries"), ("repeat", "repeated"), ("refuse", "refused"), ("old", "stale")],
)
def test_what_a_server_does_wrong_is_seen(fault: str, figure: str) -> None:
    """Only the second of three messages is handled so."""
    heard: list[str] = []

    async def say(hall: Hall, socket: ServerConnection, body: str) -> None:
        heard.append(body)
        if len(heard) != 2:
            await socket.send(body)
        elif fault == "repeat":
            await socket.send(body)
            await socket.send(body)
        elif fault == "refuse":
            await socket.send("refused")
        elif fault == "old":
            await socket.send(body.replace("~000000006~", "~000000004~"))

    found, _ = published(say)
    wanted = {"drop": 2, "repeat": 1, "refuse": 1, "old": 1}
    assert found[figure] == wanted[fault]
    assert found["deliveries"] == (3 if fault == "repeat" else 2)


def test_a_delay_of_the_server_is_measured() -> None:
    """Send to receipt holds the 100 ms that the server waited, and hardly more."""

    async def say(hall: Hall, socket: ServerConnection, body: str) -> None:
        await asyncio.sleep(0.1)
        await socket.send(body)

    found, _ = published(say, messages=1)
    assert 100 <= found["latency_max_ms"] < 1000


def test_several_markers_in_a_frame_are_several_deliveries() -> None:
    """Servers may join messages; a frame may be longer than one read."""
    heard: list[str] = []

    async def say(hall: Hall, socket: ServerConnection, body: str) -> None:
        heard.append(body)
        if len(heard) == 3:
            await socket.send("\n".join(["x" * 700_000, *heard]))

    found, _ = published(say)
    assert (found["deliveries"], found["repeated"]) == (3, 0)


def test_keep_alives_are_answered() -> None:
    """Those of a peer's own protocol by its texts, those of WebSocket by pongs."""
    answered: list[bool] = []

    async def say(hall: Hall, socket: ServerConnection, body: str) -> None:
        pong = await socket.ping()
        await socket.send("are you there")
        await asyncio.wait_for(pong, 5)
        answered.append(True)
        await socket.send(body)

    found, hall = published(say, messages=1)
    assert answered == [True]
    assert found["deliveries"] == 1
    deadline = time.monotonic() + 5
    while "yes" not in hall.texts and time.monotonic() < deadline:
        time.sleep(0.01)
    assert "yes" in hall.texts


def test_a_refused_upgrade_says_what_was_answered() -> None:
    """The first line of the answer stands in the figures."""
    peer = Scripted()
    port = free_port()
    with Generator(peer, port, core=None) as generator:
        generator.add(peer.reader(0, 0), 0)
        answer = generator.connect(1, 2)
    assert (answer["joined"], answer["failed"]) == (0, 1)
    assert "refused" in answer["first_failure"]


@pytest.mark.parametrize(("peer", "burst"), [(Kernel(), 1), (KernelJoined(), 8)])
def test_the_bare_loop_delivers_to_the_room_and_to_nobody_else(
    peer: Kernel, burst: int, tmp_path: Path
) -> None:
    """100 readers of two rooms and a writer in one of them, who hears nothing."""
    place = Place(free_port(), "", tmp_path, 100)
    with (
        running(peer, place, core=None) as server,
        Generator(peer, place.port, core=None) as generator,
    ):
        for number in range(100):
            generator.add(peer.reader(number, number % 2), number % 2)
        generator.add(peer.writer(0, 0), 0, message=peer.message(0))
        assert generator.connect(50)["joined"] == 101
        generator.window(1)
        generator.publish(16, burst=burst, interval_s=0.01, size=300, base=1)
        found = generator.collect(800, quiet_s=0.5, limit_s=5)
        assert server.cpu_s() >= 0
        assert server.rss_mb() > 0
    assert (found["deliveries"], found["repeated"]) == (800, 0)
    assert not accepts(place.port)
