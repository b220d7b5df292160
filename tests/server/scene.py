"""A socket that was handed over, with a transport that only notes, and frames of either side."""

import asyncio
import struct
from collections.abc import Callable

from websockets.frames import Frame, Opcode

from realtime.server.wire import Wire

MAX_BYTES = 1_000


class FakeTransport(asyncio.Transport):
    """Keeps what is written; `held` are the bytes that it pretends not to have sent yet."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.held = 0
        self.reading = False
        self.closed = False
        self.aborted = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += bytes(data)

    def get_write_buffer_size(self) -> int:
        return self.held

    def is_closing(self) -> bool:
        return self.closed

    def is_reading(self) -> bool:
        return self.reading

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True

    def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.closed = self.aborted = True


class Taker:
    """A receiver that notes what it is given."""

    def __init__(self) -> None:
        self.got: list[str | bytes] = []
        self.codes: list[int] = []
        self.withdrawn = 0
        self.on_text: Callable[[str], None] = lambda text: None

    def text_received(self, text: str) -> None:
        self.got.append(text)
        self.on_text(text)

    def binary_received(self, data: bytes) -> None:
        self.got.append(data)

    def descriptor_withdrawn(self) -> None:
        self.withdrawn += 1

    def disconnected(self, code: int) -> None:
        self.codes.append(code)


class Scene:
    """A wire that was started, unless `early` says otherwise."""

    def __init__(self, *early: str | bytes, started: bool = True) -> None:
        self.transport, self.taker = FakeTransport(), Taker()
        self.connections: set[object] = set()
        self.wire = Wire(self.transport, self.connections, MAX_BYTES, list(early))
        self.connections.add(self.wire)
        if started:
            self.wire.start(self.taker)

    def come(self, *frames: bytes) -> None:
        self.wire.data_received(b"".join(frames))

    def idle(self) -> bool:
        """Whether nothing is kept to parse with."""
        return self.wire._parser is None


def sent(opcode: Opcode, data: bytes, *, fin: bool = True) -> bytes:
    """A frame as a client sends it."""
    return Frame(opcode, data, fin).serialize(mask=True)


def answer(opcode: Opcode, data: bytes) -> bytes:
    """A frame as a server sends it."""
    return Frame(opcode, data).serialize(mask=False)


def closing(code: int, reason: bytes = b"") -> bytes:
    return struct.pack("!H", code) + reason


def play(story: Callable[[], object]) -> None:
    """Run it inside a loop, which has a turn afterwards."""

    async def run() -> None:
        story()
        await asyncio.sleep(0)

    asyncio.run(run())
