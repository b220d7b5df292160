"""uvicorn's WebSocket protocol, which can hand an accepted socket over.

It offers the ASGI extension `realtime.prepared_frames`, a dictionary with the one key `hand_over`.
Calling it moves the transport to a `Wire` and leaves nothing of the handshake behind; the ASGI call
may then return, and the socket goes on. Who does not call it has uvicorn's protocol as it is.

This knows private names of uvicorn, which is pinned for it: see docs/serving.md.
"""

from asyncio import BaseTransport
from typing import Any, cast

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import Opcode
from websockets.http11 import Request
from websockets.protocol import State

from realtime.server.parser import ServerParser
from realtime.server.wire import FULL_BYTES, PREPARED_FRAMES, Wire

__all__ = ["PREPARED_FRAMES", "PreparedProtocol"]


class PreparedProtocol(WebSocketsSansIOProtocol):
    """Give it to uvicorn as `Config(ws=...)`, without permessage-deflate."""

    def connection_made(self, transport: BaseTransport) -> None:
        super().connection_made(transport)
        made = self.conn
        self.conn = ServerParser(
            extensions=made.available_extensions,
            max_size=self.config.ws_max_size,
            logger=self.logger,
        )

    def data_received(self, data: bytes) -> None:
        """As uvicorn's own, which leaves a handshake that the library has refused (with too long a
        header, say) without an answer, and open for ever."""
        super().data_received(data)
        if not self.handshake_initiated and self.conn.handshake_exc is not None:
            self.transport.write(b"".join(self.conn.data_to_send()))
            self.transport.close()

    def handle_connect(self, event: Request) -> None:
        super().handle_connect(event)
        scope = getattr(self, "scope", None)  # none where the handshake was refused
        if scope is not None:
            scope["extensions"][PREPARED_FRAMES] = {"hand_over": self.hand_over}

    def hand_over(self) -> Wire | None:
        """The socket, deaf until its `start` is called; None when it is not open (any more), or
        compressed: then go on by ASGI, which says so.

        Afterwards this protocol is as one whose peer is gone.
        """
        parser, transport = self._parser(), self.transport
        if not self.handshake_complete or self.close_sent or self.disconnected:
            return None
        if transport.is_closing():
            return None
        if parser is not None and (parser.state is not State.OPEN or parser.extensions):
            return None
        self.stop_keepalive()
        transport.pause_reading()
        max_bytes = self.config.ws_max_size
        wire = Wire(transport, cast("set[Any]", self.connections), max_bytes, self._untaken())
        if parser is not None:
            wire.adopt(parser, self._begun_message())
        if not self.writable.is_set():
            wire.pause_writing()
        transport.set_protocol(wire)
        transport.set_write_buffer_limits(high=FULL_BYTES, low=FULL_BYTES)
        self.connections.discard(self)
        self.connections.add(cast("Any", wire))
        self._forget()
        return wire

    def _parser(self) -> ServerParser | None:
        """The library's protocol, None where nothing needed one yet."""
        return cast("ServerParser", self.conn)

    def _untaken(self) -> list[str | bytes]:
        """Messages that came before, and that nobody has asked for by `receive`."""
        messages: list[str | bytes] = []
        while not self.queue.empty():
            message = cast("dict[str, Any]", self.queue.get_nowait())
            if message["type"] == "websocket.receive":
                text = message.get("text")
                messages.append(bytes(message["bytes"]) if text is None else text)
        return messages

    def _begun_message(self) -> list[bytes] | None:
        """The parts of a message that has begun, behind a byte that tells its kind."""
        if not self.frames:
            return None
        kind = Opcode.TEXT if self.curr_msg_data_type == "text" else Opcode.BINARY
        return [bytes([kind]), *(bytes(part) for part in self.frames)]

    def _forget(self) -> None:
        """Let go of the socket and of the handshake. `run_asgi` closes what it finds as transport
        when the application returns: that must be nothing."""
        self.transport = cast("Any", _Nothing())
        self.disconnected = True  # a `send` raises
        self.read_paused = False
        self.writable.set()
        self.queue.put_nowait({"type": "websocket.disconnect", "code": 1006})
        self.frames = []
        self.scope["extensions"].pop(PREPARED_FRAMES, None)  # it refers back to this
        self._forget_handshake()

    def _forget_handshake(self) -> None:
        del self.request, self.response


class _Nothing:
    """What is left of a transport that was handed over."""

    def is_closing(self) -> bool:
        return True

    def close(self) -> None:
        """There is nothing to close."""
