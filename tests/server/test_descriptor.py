"""Writing past the transport: over real sockets, in order, and only while nothing waits before."""

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable

import pytest
import uvloop

from realtime.server.frames import text_frame
from realtime.server.wire import Wire

LARGE = 4_000_000  # more than the kernel takes of a peer that does not read


class Owner:
    """A receiver that notes when the descriptor is withdrawn."""

    def __init__(self) -> None:
        self.withdrawn = 0
        self.codes: list[int] = []

    def text_received(self, text: str) -> None: ...

    def binary_received(self, data: bytes) -> None: ...

    def descriptor_withdrawn(self) -> None:
        self.withdrawn += 1

    def disconnected(self, code: int) -> None:
        self.codes.append(code)


class Pair:
    """A wire over a real socket, and its peer."""

    def __init__(self, wire: Wire, owner: Owner, peer: socket.socket) -> None:
        self.wire, self.owner, self.peer = wire, owner, peer

    @classmethod
    async def made(cls) -> "Pair":
        ours, peer = socket.socketpair()
        loop = asyncio.get_running_loop()
        owner = Owner()
        transport, _ = await loop.create_connection(asyncio.Protocol, sock=ours)
        transport.pause_reading()
        wire = Wire(transport, set(), 1_000, [])
        transport.set_protocol(wire)
        wire.start(owner)
        peer.setblocking(False)
        return cls(wire, owner, peer)

    async def read(self, size: int) -> bytes:
        loop, data = asyncio.get_running_loop(), b""
        async with asyncio.timeout(10):
            while len(data) < size:
                data += await loop.sock_recv(self.peer, size - len(data))
        return data


Story = Callable[[Pair], Awaitable[None]]
Play = Callable[[Story], None]


@pytest.fixture(params=["uvloop", "asyncio"])
def play(request: pytest.FixtureRequest) -> Play:
    """Tell a story on either event loop."""

    def run(story: Story) -> None:
        async def told() -> None:
            pair = await Pair.made()
            with pair.peer:
                await story(pair)
                pair.wire.transport.abort()
                await asyncio.sleep(0)

        factory = uvloop.new_event_loop if request.param == "uvloop" else None
        with asyncio.Runner(loop_factory=factory) as runner:
            runner.run(told())

    return run


def test_none_while_something_waits(play: Play) -> None:
    """Neither for the end of the turn nor in the transport may it be overtaken."""

    async def story(pair: Pair) -> None:
        wire = pair.wire
        wire.write_soon(b"1")
        assert wire.descriptor() == -1
        assert await pair.read(1) == b"1"
        descriptor = wire.descriptor()
        assert descriptor >= 0
        wire.write_soon(b"2")
        os.write(descriptor, b"3")
        wire.write(b"4")
        assert await pair.read(3) == b"234"
        assert wire.descriptor() == descriptor
        assert not pair.owner.withdrawn

    play(story)


def test_what_is_not_taken_goes_on_in_order(play: Play) -> None:
    """A full socket takes the descriptor back, and gives it again when all was taken."""

    async def story(pair: Pair) -> None:
        wire = pair.wire
        large = os.urandom(LARGE)
        descriptor = wire.descriptor()
        taken = os.write(descriptor, large)
        assert taken < LARGE
        wire.finish(memoryview(large)[taken:])
        assert pair.owner.withdrawn == 1
        assert wire.descriptor() == -1
        wire.write(b"behind")
        assert await pair.read(LARGE + 6) == large + b"behind"
        while wire.descriptor() < 0:
            await asyncio.sleep(0)
        wire.write(large)  # the wire itself finds it full as well
        assert pair.owner.withdrawn == 2
        wire.write(b"behind")
        assert await pair.read(LARGE + 6) == large + b"behind"

    play(story)


def test_close_withdraws_and_comes_last(play: Play) -> None:
    async def story(pair: Pair) -> None:
        os.write(pair.wire.descriptor(), text_frame(b"last"))
        pair.wire.close(4409, "bye")
        assert pair.owner.withdrawn == 1
        assert pair.wire.descriptor() == -1
        data = await pair.read(len(text_frame(b"last")) + 7)
        assert data == text_frame(b"last") + b"\x88\x05" + (4409).to_bytes(2, "big") + b"bye"

    play(story)


def test_peer_that_is_gone_withdraws_before_the_number_is_free(play: Play) -> None:
    """Another connection may get the same descriptor: nobody must write to it for this one."""

    async def story(pair: Pair) -> None:
        descriptor = pair.wire.descriptor()
        still_open: list[bool] = []
        note = pair.owner.descriptor_withdrawn

        def withdrawn() -> None:
            os.fstat(descriptor)
            still_open.append(True)
            note()

        pair.owner.descriptor_withdrawn = withdrawn  # type: ignore[method-assign]
        pair.peer.close()
        async with asyncio.timeout(10):
            while not pair.owner.codes:
                await asyncio.sleep(0.001)
        assert still_open == [True]
        pair.wire.write(b"nobody")

    play(story)


def test_write_to_a_peer_that_is_gone_ends_the_socket(play: Play) -> None:
    """The error of the descriptor is the transport's to find."""

    async def story(pair: Pair) -> None:
        pair.wire.descriptor()
        pair.peer.close()
        pair.wire.write(b"nobody")
        async with asyncio.timeout(10):
            while not pair.owner.codes:
                await asyncio.sleep(0.001)
        assert pair.owner.codes == [1006]
        assert pair.owner.withdrawn == 1

    play(story)
