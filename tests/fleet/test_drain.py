"""A planned stop as clients, probes and service managers see it: real servers, real sockets."""

import asyncio
import http.client
import json
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any
from urllib.parse import urlsplit

import pytest

from realtime.sockets import drain as drain_module
from realtime.sockets.drain import drain, register_drain_step
from tests.nodes.backstage import Backstage
from tests.nodes.client import Client
from tests.nodes.installation import Installation, temporary_installation
from tests.nodes.server import Server, wait_until

SERVER_RESTART = 1012
STOP_WITHIN_S = 5.0
MARGIN_S = 0.7  # a busy machine, and the tenth of a second in which a process sees its signal


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    with temporary_installation(tmp_path_factory.mktemp("drain")) as found:
        yield found


@pytest.fixture(scope="module")
def backstage(installation: Installation) -> Iterator[Backstage]:
    with Backstage(installation) as found:
        found("head", stream="system")
        yield found


@pytest.fixture(scope="module")
def ada(backstage: Backstage) -> dict[str, Any]:
    found: dict[str, Any] = backstage("person", name="Ada")
    return found


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def serve(
    stack: ExitStack, installation: Installation, window_s: float, workers: int = 1
) -> Server:
    command = ("manage.py", "serve", "--port", "0", "--workers", str(workers))
    server = Server(installation, command, DRAIN_WINDOW=str(window_s))
    stack.callback(end, server)
    return server.wait()


def end(server: Server) -> None:
    if server.process.poll() is None:
        server.kill()


def connect(stack: ExitStack, server: Server, person: dict[str, Any], **options: Any) -> Client:
    authorization = f"Api-Key {person['key']}"
    client = Client(f"{server.ws}/ws", authorization=authorization, **options)
    return stack.enter_context(client).greeted()


def address_of(server: Server) -> tuple[str, int]:
    place = urlsplit(server.http)
    assert place.hostname is not None
    assert place.port is not None
    return place.hostname, place.port


def refuses(server: Server) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(address_of(server)) != 0


class Kept:
    """One HTTP connection, never opened again."""

    def __init__(self, server: Server) -> None:
        self._connection = http.client.HTTPConnection(*address_of(server), timeout=5)
        self._connection.connect()
        self._connection.auto_open = 0

    def get(self, path: str) -> tuple[int, str | None]:
        """Status and the `Connection` header."""
        self._connection.request("GET", path)
        answer = self._connection.getresponse()
        answer.read()
        return answer.status, answer.getheader("Connection")


@pytest.mark.parametrize("workers", [1, 2])
def test_each_client_is_told_its_own_delay_and_closed_then(
    installation: Installation, ada: dict[str, Any], stack: ExitStack, workers: int
) -> None:
    """Spread over the window, all workers in step; every socket serves until its moment."""
    window_s = 2.0
    server = serve(stack, installation, window_s, workers)
    clients = [connect(stack, server, ada) for _ in range(12)]
    began = time.monotonic()
    server.process.send_signal(signal.SIGTERM)
    told = [client.wait_for("server_shutdown") for client in clients]
    delays_s = [frame["data"]["reconnect_after_ms"] / 1000 for frame in told]
    last = clients[max(range(12), key=delays_s.__getitem__)]
    last.flushed()  # a command in between
    late_s: list[float] = []
    for delay_s, client in sorted(zip(delays_s, clients, strict=True), key=lambda one: one[0]):
        assert client.closed()[0] == SERVER_RESTART
        late_s.append(time.monotonic() - began - delay_s)
    assert min(late_s) > -0.05
    # All at the window's end would be late by half of it; a busy machine delays some.
    assert sorted(late_s)[6] < MARGIN_S, late_s
    assert len(set(delays_s)) == 12
    assert 0 <= min(delays_s) < 0.5 * window_s < max(delays_s) <= window_s
    assert server.stop() == 0
    assert time.monotonic() - began < window_s + STOP_WITHIN_S
    assert not server.traceback, server.traceback


def test_probes_see_it_first(
    installation: Installation, ada: dict[str, Any], stack: ExitStack
) -> None:
    """503 on kept connections while the listener is closed and the sockets still serve."""
    server = serve(stack, installation, 3)
    client = connect(stack, server, ada)
    probes = [Kept(server) for _ in range(2)]
    for probe in probes:
        assert probe.get("/health/ready") == (200, None)
    server.process.send_signal(signal.SIGTERM)
    client.wait_for("server_shutdown")
    wait_until(lambda: refuses(server), "a closed listener", STOP_WITHIN_S)
    assert probes[0].get("/health/ready") == (503, "close")
    assert probes[1].get("/health/live") == (200, "close")
    server.process.send_signal(signal.SIGTERM)
    assert server.stop() == 0


def test_readiness_is_visible_where_there_is_nothing_to_drain(
    installation: Installation, ada: dict[str, Any], stack: ExitStack
) -> None:
    """A kept connection is answered for a moment; nobody waits for the whole window."""
    server = serve(stack, installation, 30)
    probe = Kept(server)
    assert probe.get("/health/ready") == (200, None)
    began = time.monotonic()
    server.process.send_signal(signal.SIGTERM)
    wait_until(lambda: refuses(server), "a closed listener")
    assert probe.get("/health/ready") == (503, "close")
    assert server.stop() == 0
    assert time.monotonic() - began < STOP_WITHIN_S


def database_calls(server: Server) -> int:
    found: int = server.request("GET", "/health/counters").json()["database_calls"]
    return found


def test_long_poll_is_answered_within_the_window(
    installation: Installation, ada: dict[str, Any], stack: ExitStack
) -> None:
    """It is told that nothing came, and asks again elsewhere; the stop does not cut it off."""
    server = serve(stack, installation, 1)
    connect(stack, server, ada)
    authorization = {"Authorization": f"Api-Key {ada['key']}"}
    poll = http.client.HTTPConnection(*address_of(server), timeout=10)
    path = f"/api/streams/user.{ada['id']}/events"
    poll.request("GET", path, headers=authorization)
    now = json.loads(poll.getresponse().read())
    before = database_calls(server)
    poll.request("GET", f"{path}?since={now['epoch']}:{now['head']}&wait=20", headers=authorization)
    # Its one reading of the log is what can be seen from outside.
    wait_until(lambda: database_calls(server) > before, "the request to be read and to wait")
    began = time.monotonic()
    assert server.stop() == 0
    assert time.monotonic() - began < 1 + STOP_WITHIN_S
    answer = poll.getresponse()
    assert (answer.status, answer.getheader("Connection")) == (200, "close")
    assert json.loads(answer.read())["events"] == []
    assert not server.traceback, server.traceback


def test_upgrade_that_still_arrives_is_sent_away(
    installation: Installation, ada: dict[str, Any], stack: ExitStack
) -> None:
    """Its connection was made before the listener closed: greeted, told, closed with 1012."""
    server = serve(stack, installation, 3)
    early = connect(stack, server, ada)
    opened = socket.create_connection(address_of(server))
    server.process.send_signal(signal.SIGTERM)
    early.wait_for("server_shutdown")
    monkey = pytest.MonkeyPatch()
    stack.callback(monkey.undo)
    monkey.setattr(socket, "create_connection", lambda *_, **__: opened)
    late = connect(stack, server, ada)
    delay_ms = late.wait_for("server_shutdown")["data"]["reconnect_after_ms"]
    assert 0 < delay_ms <= 2000
    assert late.closed() == (SERVER_RESTART, "server restart")
    types = [frame["type"] for frame in late.frames]
    assert types == ["authentication_success", "server_shutdown"]
    server.process.send_signal(signal.SIGTERM)
    assert server.stop() == 0


def test_deaf_client_does_not_hold_up_the_stop(
    installation: Installation, ada: dict[str, Any], stack: ExitStack
) -> None:
    """One that never answers the close, and a request that never ends: 5 s and no more."""
    server = serve(stack, installation, 1)
    deaf = socket.create_connection(address_of(server))
    stack.callback(deaf.close)
    request = (
        "GET /ws HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        f"Authorization: Api-Key {ada['key']}\r\n\r\n"
    )
    deaf.sendall(request.encode())
    assert b"101 Switching" in deaf.recv(4096)
    half = socket.create_connection(address_of(server))
    stack.callback(half.close)
    half.sendall(b"POST /api/sessions/ HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 100\r\n\r\n")
    wait_until(lambda: "opened connection" in server.text, "the socket")
    began = time.monotonic()
    assert server.stop() == 0
    assert time.monotonic() - began < 1 + STOP_WITHIN_S
    assert half.recv(4096).startswith(b"HTTP/1.1 503")
    assert not server.traceback, server.traceback


def test_second_signal_hurries(
    installation: Installation, ada: dict[str, Any], stack: ExitStack
) -> None:
    """All close at once with 1012; nobody is told a second delay."""
    server = serve(stack, installation, 60)
    clients = [connect(stack, server, ada) for _ in range(5)]
    began = time.monotonic()
    server.process.send_signal(signal.SIGTERM)
    for client in clients:
        client.wait_for("server_shutdown")
    server.process.send_signal(signal.SIGTERM)
    for client in clients:
        assert client.closed()[0] == SERVER_RESTART
        assert [frame["type"] for frame in client.frames].count("server_shutdown") == 1
    assert server.stop() == 0
    assert time.monotonic() - began < STOP_WITHIN_S


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The table of drain steps, empty."""
    table: dict[str, Any] = {}
    monkeypatch.setattr(drain_module, "_steps", table)
    return table


def test_steps_hand_back_within_the_window(
    steps: dict[str, Any], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Each hears of the window; one that fails or hangs is logged and stops nothing."""
    monkeypatch.setattr(drain_module, "CLOSE_WITHIN_S", 0.05)
    handed_back: list[float] = []

    async def hand_back(window_s: float) -> None:
        handed_back.append(window_s)

    async def fail(window_s: float) -> None:
        raise ValueError("no")

    async def hang(window_s: float) -> None:
        await asyncio.Event().wait()

    for name, step in {"fail": fail, "hang": hang, "jobs": hand_back}.items():
        register_drain_step(name, step)
    began = time.monotonic()
    asyncio.run(drain(0.1))
    assert time.monotonic() - began < 2
    assert handed_back == [0.1]
    assert "drain step failed name=fail" in caplog.text
    assert "drain step overran name=hang" in caplog.text
