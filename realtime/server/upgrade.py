"""The opening handshake of a WebSocket, answered from what the HTTP parser has read already.

uvicorn writes an upgrade's headers out again, has the websockets library parse them, and keeps
all of that until the application accepts. A handshake that has nothing unusual about it takes the
short way here; any other, and every faulty one, goes the whole way and is judged by the library:
what is accepted or refused is the same, byte for byte.

This knows private names of uvicorn, which is pinned for it: see docs/serving.md.
"""

import asyncio
import base64
import re
from hashlib import sha1
from typing import TYPE_CHECKING, Any, NamedTuple, cast
from urllib.parse import unquote

from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.utils import ClientDisconnected, is_ssl
from websockets.protocol import State

from realtime.server.inbox import Gate, Inbox
from realtime.server.parser import ServerParser
from realtime.server.prepared import PREPARED_FRAMES, PreparedProtocol

if TYPE_CHECKING:
    from realtime.server.wire import Wire

MAX_HEADERS = 64  # the library takes 128, each of 8 KiB
MAX_HEADERS_BYTES = 8_192
MAX_EARLY_BYTES = 65_536  # that a peer may send before its handshake is answered

# RFC 6455, section 4.2.1. The key is 16 bytes in base64; browsers send either form of Connection.
_KEY = re.compile(rb"[A-Za-z0-9+/]{22}==")
_CONNECTIONS = frozenset({b"upgrade", b"keep-alive, upgrade"})
_TOKEN = rb"[-!#$%&'*+.^_`|~0-9a-zA-Z]+"
_SUBPROTOCOLS = re.compile(rb"%b(?:, ?%b)*" % (_TOKEN, _TOKEN))
_PATH = re.compile(rb"/[!-~]*")
_ONCE = frozenset(
    {b"connection", b"upgrade", b"sec-websocket-key", b"sec-websocket-version", b"origin", b"host"}
)
_BODY = frozenset({b"content-length", b"transfer-encoding", b"expect"})
_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # section 1.3

Headers = list[tuple[bytes, bytes]]


class Handshake(NamedTuple):
    """`accept` is the value of Sec-WebSocket-Accept."""

    accept: bytes
    subprotocols: list[str]


def plain_handshake(headers: Headers) -> Handshake | None:
    """What the headers (lower-case names) of a GET ask for; None where there is more to judge."""
    if len(headers) > MAX_HEADERS or sum(len(n) + len(v) for n, v in headers) > MAX_HEADERS_BYTES:
        return None
    once: dict[bytes, bytes] = {}
    offered = None
    for name, value in headers:
        if name in _ONCE:
            if name in once:
                return None
            once[name] = value
        elif name == b"sec-websocket-protocol":
            if offered is not None or _SUBPROTOCOLS.fullmatch(value) is None:
                return None
            offered = value
        elif name in _BODY:
            return None
    key = once.get(b"sec-websocket-key", b"")
    if (
        once.get(b"connection", b"").lower() not in _CONNECTIONS
        or once.get(b"upgrade", b"").lower() != b"websocket"
        or once.get(b"sec-websocket-version") != b"13"
        or _KEY.fullmatch(key) is None
    ):
        return None
    accept = base64.b64encode(sha1(key + _GUID).digest())  # noqa: S324 - section 4.2.2 says so
    names = [] if offered is None else [part.strip() for part in offered.decode().split(",")]
    return Handshake(accept, names)


def _address(transport: asyncio.Transport, which: str) -> tuple[str, int | None] | None:
    """Host and port as ASGI has them; of a unix socket its path, where it has one."""
    found = transport.get_extra_info(which)
    if isinstance(found, str):
        return (found, None) if which == "sockname" else None
    return (str(found[0]), int(found[1])) if isinstance(found, tuple) else None


class HttpProtocol(HttpToolsProtocol):
    """Give it to uvicorn as `Config(http=...)`, beside `ws=PreparedProtocol`."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """As uvicorn's own, which asks for the addresses by way of the transport's socket: uvloop
        makes an object for that, and keeps it and both addresses for the connection's life. (Who
        comes into a large room gets the object, of 72 bytes, with the first message there.)"""
        self.connections.add(self)
        self.transport = transport
        self.flow = FlowControl(transport)
        self.server = _address(transport, "sockname")
        self.client = cast("tuple[str, int] | None", _address(transport, "peername"))
        self.scheme = "https" if is_ssl(transport) else "http"

    def handle_websocket_upgrade(self) -> None:
        handshake = self._plain_handshake()
        if handshake is None:
            super().handle_websocket_upgrade()
            return
        self.connections.discard(self)
        arrival = Arrival(self, handshake)
        self.connections.add(cast("Any", arrival))
        self.transport.set_protocol(arrival)
        # It refers back to this: a storm's handshakes would wait for the garbage collector.
        self.parser = cast("Any", None)
        arrival.begin()

    def _plain_handshake(self) -> Handshake | None:
        scope: Any = self.scope
        if (
            self.config.ws_per_message_deflate
            or self.ws_protocol_class is not PreparedProtocol
            or scope["method"] != "GET"
            or scope["http_version"] != "1.1"
            or _PATH.fullmatch(self.url) is None
        ):
            return None
        return plain_handshake(self.headers)


class Arrival(PreparedProtocol):
    """A socket whose handshake is known to be right; the library's protocol for it is made only
    if it is not handed over at once.

    Its acceptance waits for the end of the loop's turn, so that it leaves in one write with what
    is written first.
    """

    def __init__(self, http: HttpToolsProtocol, handshake: Handshake) -> None:
        """As uvicorn's own, which is not called: it would make the library's protocol."""
        config = http.config
        self.config = config
        self.app = config.loaded_app
        self.loop = http.loop
        self.logger = http.logger
        self.connections = http.connections
        self.tasks = http.tasks
        self.default_headers = http.server_state.default_headers
        self.transport = http.transport
        self.queue = cast("Any", Inbox())
        self.handshake_initiated = True
        self.handshake_complete = False
        self.close_sent = False
        self.disconnected = False
        self.close_timer = None
        self.close_timeout = 10.0
        self.initial_response = None
        self.read_paused = False
        self.writable = cast("Any", Gate())
        self.ping_interval = config.ws_ping_interval
        self.ping_timeout = config.ws_ping_timeout
        self.ping_timer = None
        self.pong_timer = None
        self.pending_ping_payload = None
        self.ping_sent_at = 0.0
        self.last_ping_rtt = 0.0
        self.frames = []
        self.curr_msg_data_type = "bytes"
        self._handshake = handshake
        self._made: ServerParser | None = None
        self._early = b""
        self._acceptance: bytes | None = None
        self.scope = cast("Any", self._scope(http))

    def _scope(self, http: HttpToolsProtocol) -> dict[str, Any]:
        raw_path, _, query = http.url.partition(b"?")
        path = raw_path.decode("ascii")
        return {
            "type": "websocket",
            "asgi": {"version": http.asgi_version, "spec_version": "2.4"},
            "http_version": "1.1",
            "scheme": "wss" if http.scheme == "https" else "ws",
            "server": http.server,
            "client": http.client,
            "root_path": http.root_path,
            "path": http.root_path + (unquote(path) if "%" in path else path),
            "raw_path": http.root_path.encode("ascii") + raw_path,
            "query_string": query,
            "headers": http.headers,
            "subprotocols": self._handshake.subprotocols,
            "state": http.app_state.copy(),
            "extensions": {
                "websocket.http.response": {},
                PREPARED_FRAMES: {"hand_over": self.hand_over},
            },
        }

    def begin(self) -> None:
        """Run the application."""
        self.queue.put_nowait({"type": "websocket.connect"})
        task = self.loop.create_task(self.run_asgi())
        task.add_done_callback(self.on_task_complete)
        self.tasks.add(task)

    @property
    def conn(self) -> ServerParser:  # type: ignore[override] # an attribute of uvicorn's class
        """The library's protocol, for whoever goes on by ASGI."""
        if self._made is None:
            state = State.OPEN if self.handshake_complete else State.CONNECTING
            max_bytes = self.config.ws_max_size
            self._made = ServerParser(state=state, max_size=max_bytes, logger=self.logger)
        return self._made

    # What comes

    def data_received(self, data: bytes) -> None:
        if self.handshake_complete and self._acceptance is None:
            super().data_received(data)
            return
        self._early += data  # RFC 6455 lets a client send nothing yet
        if len(self._early) > MAX_EARLY_BYTES:
            self.transport.abort()

    async def receive(self) -> Any:
        self._open()
        return await super().receive()

    # What goes

    async def send(self, message: Any) -> None:
        if self.handshake_complete or message["type"] != "websocket.accept":
            self._open()
            await super().send(message)
            return
        if self.disconnected or self.transport.is_closing():
            raise ClientDisconnected
        self.handshake_complete = True
        self._acceptance = self._accepted(message)
        self.loop.call_soon(self._open)

    def _accepted(self, message: dict[str, Any]) -> bytes:
        headers = [*self.default_headers, *message.get("headers", ())]
        if subprotocol := message.get("subprotocol"):
            headers.append((b"sec-websocket-protocol", subprotocol.encode("latin-1")))
        return b"".join(
            (
                b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                b"Sec-WebSocket-Accept: %b\r\n" % self._handshake.accept,
                *(b"%b: %b\r\n" % header for header in headers),
                b"\r\n",
            )
        )

    def _open(self) -> None:
        """Write the acceptance, if it still waits: the socket goes on by ASGI for now."""
        acceptance, self._acceptance = self._acceptance, None
        if acceptance is None or self.disconnected:
            return
        self.transport.write(acceptance)
        self.start_keepalive()
        early, self._early = self._early, b""
        if early:
            super().data_received(early)

    def shutdown(self) -> None:
        self._open()
        super().shutdown()

    # The hand-over

    def hand_over(self) -> "Wire | None":
        if self._early:
            self._open()
        acceptance, self._acceptance = self._acceptance, None
        wire = super().hand_over()
        if acceptance is not None:
            if wire is None:
                self._acceptance = acceptance
                self._open()
            else:
                wire.write_soon(acceptance)
        return wire

    def _parser(self) -> ServerParser | None:
        return self._made

    def _forget_handshake(self) -> None:
        """There is nothing but the scope."""
