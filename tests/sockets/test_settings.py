"""Settings that only show in bytes: the port, the largest frame, the silence that is suffered."""

import socket
import struct
from collections.abc import Callable, Iterator

import httpx
import pytest

from tests.nodes.client import Client
from tests.nodes.installation import Installation
from tests.nodes.server import Server, running
from tests.sockets.conftest import Person

SERVE = ("manage.py", "serve")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


@pytest.fixture(scope="module")
def steered(installation: Installation) -> Iterator[tuple[Server, int]]:
    """A server whose port, frame size and patience come from the environment."""
    port = free_port()
    server = Server(
        installation,
        SERVE,
        WEBSOCKET_PORT=str(port),
        WEBSOCKET_MAX_MESSAGE_BYTES="2048",
        WEBSOCKET_HEARTBEAT_INTERVAL="0.2",
        WEBSOCKET_CONNECTION_TIMEOUT="0.5",
    )
    with running(server):
        yield server, port


def test_port_is_the_one_of_the_environment(steered: tuple[Server, int]) -> None:
    """WEBSOCKET_PORT: HTTP and sockets answer there."""
    _, port = steered
    assert httpx.get(f"http://127.0.0.1:{port}/health/live", timeout=10).status_code == 200


def test_larger_frame_than_allowed_closes(
    steered: tuple[Server, int], person: Callable[..., Person]
) -> None:
    """WEBSOCKET_MAX_MESSAGE_BYTES: at the limit a frame is read, above it 1009."""
    server, _ = steered
    with Client(server.ws + "/ws", authorization=person().authorization) as client:
        client.greeted()
        frame = '{"id":1,"cmd":"ping","padding":""}'
        client.send(frame.replace('""', f'"{"x" * (2048 - len(frame))}"'))
        assert client.reply(1)["ok"]
        client.send(frame.replace('""', f'"{"x" * (2049 - len(frame))}"'))
        assert client.closed()[0] == 1009


def test_peer_that_answers_no_ping_is_closed(
    steered: tuple[Server, int], person: Callable[..., Person]
) -> None:
    """WEBSOCKET_CONNECTION_TIMEOUT: a half-open connection ends with 1011, not never."""
    _, port = steered
    with socket.create_connection(("127.0.0.1", port), timeout=5) as peer:
        peer.sendall(
            "\r\n".join(
                [
                    "GET /ws HTTP/1.1",
                    f"Host: 127.0.0.1:{port}",
                    "Connection: Upgrade",
                    "Upgrade: websocket",
                    "Sec-WebSocket-Version: 13",
                    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
                    f"Authorization: {person().authorization}",
                    "",
                    "",
                ]
            ).encode()
        )
        received = b""
        while data := peer.recv(65_536):
            received += data
    assert received.startswith(b"HTTP/1.1 101 ")
    assert b"\x89\x04" in received  # a ping was sent, and this peer never answers
    closing = received[received.rindex(b"\x88") :]
    assert struct.unpack("!H", closing[2:4])[0] == 1011
