"""The moment of the hand-over, behind a real uvicorn: what came before it, and what stays."""

import asyncio
import base64
import gc
import os
import socket
import struct
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import uvicorn
from websockets.frames import Frame, Opcode

from realtime.server.frames import text_frame
from realtime.server.prepared import PREPARED_FRAMES, PreparedProtocol
from realtime.server.upgrade import HttpProtocol

if TYPE_CHECKING:
    from realtime.server.wire import Wire

LIMIT_S = 5.0


class Application:
    """Accepts, waits until the test lets it go on, hands over and returns. Echoes texts."""

    def __init__(self) -> None:
        self.accepted = asyncio.Event()
        self.go_on = asyncio.Event()
        self.returned = asyncio.Event()
        self.wire: Wire | None = None
        self.codes: list[int] = []
        self.after: list[Any] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        self.accepted.set()
        await self.go_on.wait()
        self.wire = scope["extensions"][PREPARED_FRAMES]["hand_over"]()
        if self.wire is None:
            self.after.append(await receive())
        else:
            self.after.append(await receive())  # as for one whose peer is gone
            self.wire.start(self)
        self.returned.set()

    def text_received(self, text: str) -> None:
        assert self.wire is not None
        self.wire.write(text_frame(text.encode()))

    def binary_received(self, data: bytes) -> None:
        raise AssertionError("expected no binary frame")

    def descriptor_withdrawn(self) -> None: ...

    def disconnected(self, code: int) -> None:
        self.codes.append(code)


class Peer:
    """A client of raw bytes; the opening handshake is its constructor's."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    def send(self, opcode: Opcode, data: bytes, *, fin: bool = True) -> None:
        self.writer.write(Frame(opcode, data, fin).serialize(mask=True))

    async def frame(self) -> tuple[int, bytes]:
        async with asyncio.timeout(LIMIT_S):
            first, length = await self.reader.readexactly(2)
            if length == 126:
                (length,) = struct.unpack("!H", await self.reader.readexactly(2))
            return first & 0x0F, await self.reader.readexactly(length)


Story = Callable[[Application, Peer, uvicorn.Server], Awaitable[None]]


def play(story: Story) -> None:
    """Both ways of the opening handshake: uvicorn's own, and the short one."""
    for http in ("httptools", HttpProtocol):
        play_behind(http, story)


def play_behind(http: Any, story: Story) -> None:
    """Serve on a free port, connect one peer, tell the story, stop."""

    async def run() -> None:
        application = Application()
        config = uvicorn.Config(
            application,
            http=http,
            ws=PreparedProtocol,
            ws_per_message_deflate=False,
            lifespan="off",
            log_level="error",
        )
        server = uvicorn.Server(config)
        listener = socket.create_server(("127.0.0.1", 0))
        serving = asyncio.create_task(server.serve([listener]))
        try:
            async with asyncio.timeout(4 * LIMIT_S):
                reader, writer = await asyncio.open_connection(*listener.getsockname())
                key = base64.b64encode(os.urandom(16)).decode()
                writer.write(
                    "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                    f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n".encode()
                )
                await reader.readuntil(b"\r\n\r\n")
                await story(application, Peer(reader, writer), server)
                writer.close()
        finally:
            server.should_exit = True
            await serving

    asyncio.run(run())


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(LIMIT_S):
        while not condition():
            await asyncio.sleep(0.01)


def test_what_came_before_is_carried_over() -> None:
    """Whole messages, one in parts, and half a frame: none is lost and none comes twice."""

    async def story(application: Application, peer: Peer, server: uvicorn.Server) -> None:
        half = Frame(Opcode.CONT, b"-end").serialize(mask=True)
        peer.send(Opcode.TEXT, b"one")
        peer.send(Opcode.TEXT, b"two")
        peer.send(Opcode.TEXT, b"begin", fin=False)
        peer.writer.write(half[:3])
        (protocol,) = server.server_state.connections
        await until(lambda: protocol.frames)  # type: ignore[union-attr]
        application.go_on.set()
        await application.returned.wait()
        peer.writer.write(half[3:])
        peer.send(Opcode.TEXT, b"three")
        got = [await peer.frame() for _ in range(4)]
        assert got == [(1, b"one"), (1, b"two"), (1, b"begin-end"), (1, b"three")]

    play(story)


def test_nothing_of_the_handshake_stays() -> None:
    """The ASGI call has returned, the server knows the wire, and uvicorn's protocol is gone."""

    async def story(application: Application, peer: Peer, server: uvicorn.Server) -> None:
        application.go_on.set()
        await application.returned.wait()
        await until(lambda: not server.server_state.tasks)
        known: set[Any] = {*server.server_state.connections}
        assert known == {application.wire}
        assert application.after == [{"type": "websocket.disconnect", "code": 1006}]
        peer.send(Opcode.PING, b"still there")
        assert await peer.frame() == (10, b"still there")
        gc.collect()
        assert not [one for one in gc.get_objects() if isinstance(one, PreparedProtocol)]

    play(story)


def test_closed_socket_is_not_handed_over() -> None:
    """The application goes on by ASGI, which says that the peer closed."""

    async def story(application: Application, peer: Peer, server: uvicorn.Server) -> None:
        await application.accepted.wait()
        peer.send(Opcode.CLOSE, struct.pack("!H", 4001))
        assert (await peer.frame())[0] == Opcode.CLOSE
        application.go_on.set()
        await application.returned.wait()
        assert application.wire is None
        assert application.after[0]["code"] == 4001

    play(story)


def test_peer_that_vanishes_is_forgotten() -> None:
    async def story(application: Application, peer: Peer, server: uvicorn.Server) -> None:
        application.go_on.set()
        await application.returned.wait()
        peer.writer.transport.abort()
        await until(lambda: application.codes)
        assert application.codes == [1006]
        assert not server.server_state.connections

    play(story)


def test_stop_of_the_server_closes_what_was_handed_over() -> None:
    """With 1012, as uvicorn closes its own."""

    async def story(application: Application, peer: Peer, server: uvicorn.Server) -> None:
        application.go_on.set()
        await application.returned.wait()
        server.should_exit = True
        opcode, data = await peer.frame()
        assert (opcode, data[:2]) == (Opcode.CLOSE, struct.pack("!H", 1012))
        await until(lambda: application.codes)

    play(story)


def test_full_transport_is_told_and_goes_on() -> None:
    """More than the kernel takes: the wire is full until the peer reads, and nothing is lost."""

    async def story(application: Application, peer: Peer, server: uvicorn.Server) -> None:
        application.go_on.set()
        await application.returned.wait()
        wire = application.wire
        assert wire is not None
        frame, count = text_frame(b"x" * 60_000), 0
        while not wire.full:
            wire.write(frame)
            count += 1
            await asyncio.sleep(0)
        waiting = asyncio.ensure_future(wire.room())
        for _ in range(count):
            opcode, data = await peer.frame()
            assert (opcode, len(data)) == (1, 60_000)
        await asyncio.wait_for(waiting, LIMIT_S)
        assert not wire.full

    play(story)
