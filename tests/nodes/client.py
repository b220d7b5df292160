"""A WebSocket client that only knows the protocol document: JSON in, JSON out, every frame kept.

Written without the project's own clients, so that a mistake in those cannot hide one of the server.
"""

import json
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect
from websockets.typing import Origin, Subprotocol

TIMEOUT_S = 15.0  # of what comes at once, on a machine that may stand still for a while

Frame = dict[str, Any]
Wanted = str | Callable[[Frame], bool]


class Client:
    """One socket. `frames` are all that came, in order, but for heartbeats, which are apart."""

    def __init__(
        self,
        url: str,
        *,
        authorization: str | None = None,
        cookie: str | None = None,
        origin: str | None = None,
        subprotocols: tuple[str, ...] = ("pm.v1",),
        reach: str | None = None,
        slow: bool = False,
    ) -> None:
        """`reach` is the address to connect to where the URL's host is only a name to send; a
        `slow` client takes no more from the network than it is asked to receive."""
        headers = {}
        if authorization is not None:
            headers["Authorization"] = authorization
        if cookie is not None:
            headers["Cookie"] = cookie
        place = urlsplit(url)
        reached = socket.create_connection((reach or place.hostname, place.port or 80), timeout=10)
        reached.settimeout(None)  # else a quiet or a blocked socket would be ended by this client
        if slow:
            reached.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 131_072)
        self.frames: list[Frame] = []
        self.heartbeats: list[Frame] = []
        self._last_id = 0
        self.socket = connect(
            url,
            sock=reached,
            additional_headers=headers,
            origin=Origin(origin) if origin is not None else None,
            subprotocols=[Subprotocol(name) for name in subprotocols] or None,
            compression=None,
            proxy=None,
            open_timeout=10,
            close_timeout=2,
            ping_interval=None,
            max_size=None,
            max_queue=1 if slow else None,
            legacy=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.socket.close()

    # Receiving

    def receive(self, timeout_s: float = TIMEOUT_S) -> Frame:
        """The next frame of any kind. Raises TimeoutError, ConnectionClosed."""
        text = self.socket.recv(timeout=timeout_s)
        assert isinstance(text, str), "expected a text frame, got a binary one"
        frame: Frame = json.loads(text)
        (self.heartbeats if frame.get("type") == "heartbeat" else self.frames).append(frame)
        return frame

    def wait_for(self, wanted: Wanted, timeout_s: float = TIMEOUT_S, *, after: int = 0) -> Frame:
        """The first frame behind the first `after` ones of that type or of which `wanted` holds."""
        matches = (lambda frame: frame.get("type") == wanted) if isinstance(wanted, str) else wanted
        deadline = time.monotonic() + timeout_s
        looked = after
        while True:
            for frame in self.frames[looked:]:
                looked += 1
                if matches(frame):
                    return frame
            try:
                self.receive(max(0.0, deadline - time.monotonic()))
            except TimeoutError:
                raise AssertionError(
                    f"expected {wanted} within {timeout_s:g} s, got {self.frames[after:][-20:]}"
                ) from None

    def closed(self, timeout_s: float = TIMEOUT_S) -> tuple[int, str]:
        """Read to the end; the code and the reason that the server closed with."""
        deadline = time.monotonic() + timeout_s
        try:
            while True:
                self.receive(max(0.0, deadline - time.monotonic()))
        except TimeoutError:
            raise AssertionError(
                f"expected a close within {timeout_s:g} s, got {self.frames[-20:]}"
            ) from None
        except ConnectionClosed as error:
            if error.rcvd is None:
                raise AssertionError("expected a close frame, got the end of the bytes") from error
            return error.rcvd.code, error.rcvd.reason

    def greeted(self) -> Self:
        """Wait for the first frame, which must be the greeting."""
        first = self.receive(10.0)
        assert first["type"] == "authentication_success", first
        return self

    # Commands

    def send(self, text: str | bytes) -> None:
        self.socket.send(text)

    def start(self, cmd: str, **fields: Any) -> int:
        """Send a command without waiting; its id."""
        self._last_id += 1
        command = {"id": self._last_id, "cmd": cmd, **fields}
        self.send(json.dumps(command, ensure_ascii=False))
        return self._last_id

    def reply(self, command_id: int | None, timeout_s: float = TIMEOUT_S) -> Frame:
        return self.wait_for(
            lambda frame: "reply" in frame and frame["reply"] == command_id, timeout_s
        )

    def command(self, cmd: str, **fields: Any) -> Frame:
        """Send a command and wait for its reply, which is given whole."""
        return self.reply(self.start(cmd, **fields))

    def ok(self, cmd: str, **fields: Any) -> Any:
        """The data of a reply that must be positive."""
        reply = self.command(cmd, **fields)
        assert reply["ok"], reply
        return reply["data"]

    def error(self, cmd: str, **fields: Any) -> Any:
        """The error of a reply that must be negative, its shape checked."""
        return shaped_error(self.command(cmd, **fields))

    # What came of a stream

    def events(self, stream: str, *, after: int = 0) -> list[Frame]:
        """Event frames of the stream behind the first `after` frames."""
        found = self.frames[after:]
        return [frame for frame in found if frame.get("stream") == stream and "seq" in frame]

    def seqs(self, stream: str, *, after: int = 0) -> list[int]:
        return [frame["seq"] for frame in self.events(stream, after=after)]

    def wait_for_seq(self, stream: str, seq: int, timeout_s: float = TIMEOUT_S) -> Frame:
        return self.wait_for(
            lambda frame: frame.get("stream") == stream and frame.get("seq") == seq, timeout_s
        )

    def flushed(self) -> None:
        """Everything written to this socket until now has been read."""
        self.ok("ping")


def cut(client: Client) -> None:
    """End the connection without a word: a closing handshake would wait for all that is unread."""
    with suppress(OSError):
        client.socket.socket.shutdown(socket.SHUT_RDWR)


def shaped_error(reply: Frame) -> Any:
    """The error of a reply, which must have exactly the shape of the document."""
    assert reply["ok"] is False, reply
    assert set(reply) == {"reply", "ok", "error"}
    error = reply["error"]
    assert set(error) == {"code", "message", "temporary", "retry_after_ms"}
    assert isinstance(error["message"], str)
    assert 0 < len(error["message"]) < 500
    return error


def assert_unbroken(seqs: list[int], first: int, last: int) -> None:
    """Every seq of the range, each once, in order."""
    assert seqs == list(range(first, last + 1)), f"expected {first}..{last}, got {seqs}"
