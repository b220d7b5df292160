"""What the settings of a server do to its sockets, and how a planned stop looks."""

import json
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest
from websockets.exceptions import ConnectionClosed

from tests.nodes.backstage import Backstage
from tests.nodes.client import Client
from tests.nodes.installation import Installation
from tests.nodes.server import COMMANDS, UVICORN, Server, running, wait_until
from tests.sockets.conftest import Person, Team


@pytest.fixture(scope="module")
def small(installation: Installation, backstage: Backstage) -> Iterator[dict[str, Server]]:
    """Servers of the same installation with room for two sockets each."""
    with running(
        *(
            Server(installation, command, WEBSOCKET_MAX_CONNECTIONS="2")
            for command in COMMANDS.values()
        )
    ) as found:
        yield {server.name: server for server in found}


def connected(stack: ExitStack, server: Server, person: Person, path: str = "/ws") -> Client:
    client = Client(server.ws + path, authorization=person.authorization)
    return stack.enter_context(client)


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_full_server_says_when_to_come_back(
    small: dict[str, Server], stack: ExitStack, person: Callable[..., Person], name: str
) -> None:
    """4503 with each client's own delay; HTTP goes on, and a free place is taken at once."""
    server, ada = small[name], person()
    first, second = (connected(stack, server, ada).greeted() for _ in range(2))
    for _ in range(3):
        code, reason = connected(stack, server, ada).closed()
        assert code == 4503
        assert 0 < json.loads(reason)["retry_after_ms"] <= 30_000
    assert server.request("GET", "/health/live").status_code == 200
    assert server.request("GET", "/health/ready").status_code == 200
    second.flushed()
    first.socket.close()
    wait_until(lambda: is_served(server, ada), "a place for another socket")


def is_served(server: Server, person: Person) -> bool:
    with Client(server.ws + "/ws", authorization=person.authorization) as client:
        try:
            client.greeted()
        except ConnectionClosed:
            return False
    return True


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_crowd_at_the_door_does_not_overfill(
    small: dict[str, Server], stack: ExitStack, person: Callable[..., Person], name: str
) -> None:
    """Regression: handshakes at the same time all saw the same free place, and all got it."""
    server, ada = small[name], person()
    wait_until(lambda: is_served(server, ada), "the end of the last test's sockets")
    with ThreadPoolExecutor(16) as pool:
        clients = list(pool.map(lambda _: connected(stack, server, ada), range(16)))
        codes = Counter(pool.map(first_word, clients))
    assert codes["4503"] >= 14, codes
    assert set(codes) <= {"4503", "authentication_success"}


def first_word(client: Client) -> str:
    """The type of the first frame, or the code of the close that came instead."""
    try:
        return str(client.receive()["type"])
    except ConnectionClosed as error:
        return str(error.rcvd.code if error.rcvd is not None else None)


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_switched_off_sockets_are_refused(
    installation: Installation, stack: ExitStack, person: Callable[..., Person], name: str
) -> None:
    """WEBSOCKET_ENABLED=false: nobody gets in, and HTTP is served."""
    ada = person()
    with running(Server(installation, COMMANDS[name], WEBSOCKET_ENABLED="false")) as (server,):
        for path in ("/ws", "/ws/status", "/ws/projects/1"):
            client = connected(stack, server, ada, path)
            assert client.closed()[0] == 4403
            assert client.frames == []
        assert server.request("GET", "/health/ready").status_code == 200
        answer = server.request("GET", "/api/me/", authorization=ada.authorization)
        assert answer.json()["id"] == ada.id


def test_planned_stop_is_announced(
    installation: Installation, stack: ExitStack, backstage: Backstage, team: Team
) -> None:
    """Each client gets its own delay, is served until then and closed with 1012."""
    server = Server(installation, UVICORN, DRAIN_WINDOW="2")
    with running(server):
        clients = [connected(stack, server, team.member).greeted() for _ in range(6)]
        for client in clients:
            client.ok("subscribe", stream=team.stream)
        server.process.terminate()
        announced = [client.wait_for("server_shutdown") for client in clients]
        told = time.monotonic()
        delays_s = [frame["data"]["reconnect_after_ms"] / 1000 for frame in announced]
        assert all(set(frame) <= {"type", "ts", "data"} for frame in announced)
        assert all(set(frame["data"]) == {"reconnect_after_ms"} for frame in announced)
        assert len(set(delays_s)) > 1
        assert all(0 <= delay_s <= 2 for delay_s in delays_s)
        longest = max(zip(delays_s, clients, strict=True), key=lambda pair: pair[0])
        if longest[0] > 1:  # else it may be closed before the event is there
            head = backstage("post", project=team.project, author=team.owner.id, count=1)
            longest[1].wait_for_seq(team.stream, head)
        order = sorted(zip(delays_s, clients, strict=True), key=lambda pair: pair[0])
        for delay_s, client in order:
            assert client.closed()[0] == 1012
            assert time.monotonic() - told > delay_s - 0.3
        assert server.stop() == 0
