"""Many clients in one event loop, as light as can be: raw WebSocket bytes, JSON, every seq kept.

They follow PROTOCOL: resume by position, answer pings, come back with full jitter. Written without
the project's clients.
"""

import asyncio
import base64
import json
import os
import random
import struct
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

FIRST_DELAY_S = 0.5  # the first back-off of the protocol, with full jitter
LAST_DELAY_S = 30.0
_TEXT, _CLOSE, _PING, _PONG = 0x1, 0x8, 0x9, 0xA


@dataclass(eq=False)
class Member:
    """One client: who it is, what it follows, where it stands, and what went wrong."""

    key: str
    streams: Sequence[str]
    on_resumed: Callable[["Member"], None]
    cursors: dict[str, tuple[str, int]] = field(default_factory=dict)  # stream: (epoch, seq)
    heads: dict[str, int] = field(default_factory=dict)  # to be reached before it is resumed
    attempts: int = 0
    connecting_at: float = 0.0
    resumed_at: float = 0.0
    faults: list[str] = field(default_factory=list)
    closes: list[int] = field(default_factory=list)
    socket: "Wire | None" = None
    place: tuple[str, int] = ("", 0)
    stopped: bool = False
    by_ticket: bool = False  # fetched for every attempt, unless one is held
    ticket: str | None = None

    def come(self, delay_s: float) -> None:
        asyncio.get_running_loop().call_later(delay_s, self._connect)

    def _connect(self) -> None:
        task = asyncio.get_running_loop().create_task(self._try())
        _tasks.add(task)
        task.add_done_callback(_tasks.discard)

    async def _try(self) -> None:
        self.attempts += 1
        self.connecting_at = time.monotonic()
        self.resumed_at = 0.0
        try:
            if self.by_ticket and self.ticket is None:
                self.ticket = await self.fetched_ticket()
            await asyncio.get_running_loop().create_connection(lambda: Wire(self), *self.place)
        except OSError:
            self.lost()

    async def fetched_ticket(self) -> str:
        """By the key, on a connection of its own. Raises OSError when it is refused."""
        host, port = self.place
        reader, writer = await asyncio.open_connection(host, port)
        try:
            writer.write(
                f"POST /api/websocket/tickets HTTP/1.1\r\nHost: {host}:{port}\r\n"
                f"Authorization: Api-Key {self.key}\r\nContent-Length: 0\r\n"
                "Connection: close\r\n\r\n".encode()
            )
            head, _, body = (await reader.read()).partition(b"\r\n\r\n")
            if b" 201 " not in head[:40]:
                raise OSError(head[:40].decode())
            return str(json.loads(body)["ticket"])
        finally:
            writer.close()

    def credentials(self) -> str:
        """The lines of the handshake that say who comes. A ticket is used up by it."""
        if not self.by_ticket:
            return f"Sec-WebSocket-Protocol: pm.v1\r\nAuthorization: Api-Key {self.key}\r\n"
        ticket, self.ticket = self.ticket, None
        host, port = self.place
        return (
            f"Sec-WebSocket-Protocol: pm.v1, pm.ticket.{ticket}\r\nOrigin: http://{host}:{port}\r\n"
        )

    def lost(self) -> None:
        self.socket = None
        if not self.stopped:
            limit = min(LAST_DELAY_S, FIRST_DELAY_S * 2 ** max(0, self.attempts - 1))
            self.come(random.uniform(0, limit))

    def opened(self) -> None:
        assert self.socket is not None
        self.heads = {}
        for number, stream in enumerate(self.streams, start=1):
            command: dict[str, Any] = {"id": number, "cmd": "subscribe", "stream": stream}
            if stream in self.cursors:
                epoch, seq = self.cursors[stream]
                command["since"] = {"epoch": epoch, "seq": seq}
            self.socket.send(json.dumps(command).encode())

    def take(self, frame: dict[str, Any]) -> None:
        if "seq" in frame:
            stream, seq = frame["stream"], frame["seq"]
            epoch, cursor = self.cursors[stream]
            if seq != cursor + 1:
                self.faults.append(f"{stream}: expected {cursor + 1}, got {seq}")
            self.cursors[stream] = (epoch, max(cursor, seq))
        elif "reply" in frame:
            self._replied(frame)
        elif frame["type"] == "authentication_success":
            self.opened()
        elif frame["type"] == "stream_reset":
            self.faults.append(f"{frame['stream']}: reset")
        if not self.resumed_at and self._is_level():
            self.resumed_at = time.monotonic()
            self.attempts = 0
            self.on_resumed(self)

    def _is_level(self) -> bool:
        return len(self.heads) == len(self.streams) and all(
            self.cursors[name][1] >= head for name, head in self.heads.items()
        )

    def _replied(self, frame: dict[str, Any]) -> None:
        if not frame["ok"]:
            self.faults.append(str(frame["error"]))
            return
        data = frame["data"]
        stream = data["stream"]
        if stream in self.cursors and not data.get("recovered"):
            self.faults.append(f"{stream}: not recovered ({data.get('reason')})")
        if not data.get("recovered"):
            self.cursors[stream] = (data["epoch"], data["head"])
        self.heads[stream] = data["head"]


_tasks: set["asyncio.Task[None]"] = set()


class Wire(asyncio.Protocol):
    """Just enough of RFC 6455: unfragmented frames, none of them masked by a server."""

    def __init__(self, member: Member) -> None:
        self._member = member
        self._buffer = bytearray()
        self._open = False
        self._transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        host, port = self._member.place
        nonce = base64.b64encode(os.urandom(16)).decode()
        transport.write(  # type: ignore[attr-defined]
            f"GET /ws HTTP/1.1\r\nHost: {host}:{port}\r\nUpgrade: websocket\r\n"
            f"Connection: Upgrade\r\nSec-WebSocket-Key: {nonce}\r\n"
            f"Sec-WebSocket-Version: 13\r\n{self._member.credentials()}\r\n".encode()
        )
        self._member.socket = self

    def connection_lost(self, exc: Exception | None) -> None:
        self._member.lost()

    @property
    def transport(self) -> Any:
        return self._transport

    def pause(self) -> None:
        """Take nothing more from the network."""
        self._transport.pause_reading()

    def resume(self) -> None:
        self._transport.resume_reading()

    def close(self) -> None:
        self._transport.abort()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if not self._open:
            end = self._buffer.find(b"\r\n\r\n")
            if end < 0:
                return
            if b" 101 " not in self._buffer[:40]:
                self._member.faults.append(self._buffer[:40].decode())
                self._transport.abort()
                return
            del self._buffer[: end + 4]
            self._open = True
        while (frame := self._next()) is not None:
            opcode, payload = frame
            if opcode == _TEXT:
                self._member.take(json.loads(payload))
            elif opcode == _PING:
                self.send(payload, _PONG)
            elif opcode == _CLOSE:
                self._member.closes.append(int.from_bytes(payload[:2], "big"))
                self.send(payload, _CLOSE)
                self._transport.close()

    def _next(self) -> tuple[int, bytes] | None:
        buffer = self._buffer
        if len(buffer) < 2:
            return None
        length, start = buffer[1] & 0x7F, 2
        if length >= 126:
            start, layout = (4, ">H") if length == 126 else (10, ">Q")
            if len(buffer) < start:
                return None
            (length,) = struct.unpack_from(layout, buffer, 2)
        if len(buffer) < start + length:
            return None
        opcode, payload = buffer[0] & 0x0F, bytes(buffer[start : start + length])
        del buffer[: start + length]
        return opcode, payload

    def send(self, payload: bytes, opcode: int = _TEXT) -> None:
        """A mask of zeros is a mask: nobody here is to be protected from a cache."""
        size = len(payload)
        head = bytes([0x80 | opcode])
        head += bytes([0x80 | size]) if size < 126 else b"\xfe" + struct.pack(">H", size)
        self._transport.write(head + b"\0\0\0\0" + payload)
