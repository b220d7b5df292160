"""A WebSocket by hand: any bytes may be sent, and what the server writes is parsed strictly."""

import socket
import time
from collections.abc import Sequence

import httpx
from websockets.frames import Frame
from websockets.protocol import CLIENT, Protocol, State

TIMEOUT_S = 10.0


class RawSocket:
    """Connected; after `upgrade` it is a WebSocket that keeps no rule but those of its caller."""

    def __init__(self, url: str) -> None:
        """`url` is that of the server, of whatever scheme."""
        place = httpx.URL(url)
        self._host = f"{place.host}:{place.port}"
        self._socket = socket.create_connection((place.host, place.port or 80), TIMEOUT_S)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._rest = b""

    def upgrade(self, authorization: str, path: str = "/ws") -> None:
        """The handshake, which must be accepted."""
        lines = (
            f"GET {path} HTTP/1.1",
            f"Host: {self._host}",
            "Connection: Upgrade",
            "Upgrade: websocket",
            "Sec-WebSocket-Version: 13",
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
            f"Authorization: {authorization}",
        )
        self._socket.sendall("\r\n".join([*lines, "", ""]).encode())
        head = b""
        while b"\r\n\r\n" not in head:
            data = self._socket.recv(65_536)
            assert data, f"expected an answer to the handshake, got {head!r}"
            head += data
        assert head.startswith(b"HTTP/1.1 101 "), head
        self._rest = head.partition(b"\r\n\r\n")[2]

    def send(self, pieces: Sequence[bytes]) -> None:
        """A write for each; a server may have ended the connection meanwhile."""
        for piece in pieces:
            try:
                self._socket.sendall(piece)
            except (BrokenPipeError, ConnectionResetError):
                return

    def read_all(self) -> bytes:
        """Say that nothing more comes, and take everything until the server ends the connection.

        Raises AssertionError where it does not.
        """
        received, self._rest = self._rest, b""
        deadline = time.monotonic() + TIMEOUT_S
        try:
            self._socket.shutdown(socket.SHUT_WR)
            while data := self._socket.recv(65_536):
                received += data
                assert time.monotonic() < deadline, f"expected the end, got {received[-200:]!r}"
        except TimeoutError:
            raise AssertionError(f"expected the end, got silence after {received!r}") from None
        except OSError:
            pass  # reset: what the server had not read was thrown away with the connection
        finally:
            self._socket.close()
        return received


def frames_of(received: bytes) -> list[Frame]:
    """What a server wrote, as frames. Raises AssertionError where they break RFC 6455."""
    parser = Protocol(CLIENT, state=State.OPEN, max_size=None)
    parser.receive_data(received)
    assert parser.parser_exc is None, parser.parser_exc
    return [event for event in parser.events_received() if isinstance(event, Frame)]
