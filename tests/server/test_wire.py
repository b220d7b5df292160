"""A socket that was handed over, at its edges: bytes as a peer may send them, full transports."""

import asyncio
import struct
from collections.abc import Callable

import pytest
from websockets.frames import Frame, Opcode

from realtime.server import wire as wire_module
from realtime.server.frames import text_frame
from realtime.server.wire import FLOODED_BYTES, Wire

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


def test_every_cut_of_the_bytes_gives_the_same_messages() -> None:
    """Frames, fragments and control frames between them, byte by byte and in any two pieces."""
    bytes_ = b"".join(
        [
            sent(Opcode.TEXT, b"one"),
            sent(Opcode.TEXT, "zw\u00f6".encode()[:3], fin=False),
            sent(Opcode.PING, b"p"),
            sent(Opcode.CONT, "zw\u00f6".encode()[3:]),
            sent(Opcode.BINARY, b"\xff" * 200),
            sent(Opcode.PONG, b""),
            sent(Opcode.TEXT, b""),
        ]
    )
    expected = ["one", "zw\u00f6", b"\xff" * 200, ""]

    def story() -> None:
        cuts = [[bytes_[:cut], bytes_[cut:]] for cut in range(len(bytes_))]
        for pieces in [*cuts, [bytes_[at : at + 1] for at in range(len(bytes_))]]:
            scene = Scene()
            for piece in pieces:
                if piece:
                    scene.come(piece)
            assert scene.taker.got == expected
            assert scene.transport.written == answer(Opcode.PONG, b"p")
            assert scene.idle()

    play(story)


def test_parser_is_kept_only_within_a_message() -> None:
    """Idle sockets hold none; half a header or an open message holds one."""

    def story() -> None:
        scene = Scene()
        scene.come(sent(Opcode.TEXT, b"x"))
        assert scene.idle()
        head, rest = sent(Opcode.TEXT, b"y")[:1], sent(Opcode.TEXT, b"y")[1:]
        scene.come(head)
        assert not scene.idle()
        scene.come(rest)
        assert scene.idle()
        scene.come(sent(Opcode.TEXT, b"z", fin=False))
        assert not scene.idle()
        scene.come(sent(Opcode.CONT, b"z"))
        assert scene.idle()
        assert scene.taker.got == ["x", "y", "zz"]

    play(story)


BROKEN = {
    "reserved bit": (b"\xc1\x80\0\0\0\0", 1002),
    "unknown opcode": (b"\x83\x80\0\0\0\0", 1002),
    "no mask": (b"\x81\x00", 1002),
    "long control frame": (b"\x89\xfe\0\x7e\0\0\0\0", 1002),
    "continuation of nothing": (sent(Opcode.CONT, b"x"), 1002),
    "text within a message": (
        sent(Opcode.TEXT, b"x", fin=False) + sent(Opcode.TEXT, b"y"),
        1002,
    ),
    "invalid UTF-8": (sent(Opcode.TEXT, b"\xff"), 1007),
    "invalid close code": (sent(Opcode.CLOSE, closing(1005)), 1002),
    "too long": (b"\x81\xfe" + struct.pack("!H", MAX_BYTES + 1), 1009),
    "too long in parts": (
        sent(Opcode.TEXT, b"x" * MAX_BYTES, fin=False) + sent(Opcode.CONT, b"x"),
        1009,
    ),
}


@pytest.mark.parametrize("what", BROKEN)
def test_broken_rule_ends_the_socket(what: str) -> None:
    """What came before it is delivered, nothing after it, and the code says which rule it was."""
    broken, code = BROKEN[what]
    if what == "long control frame":
        broken += b"x" * 126

    async def story() -> None:
        scene = Scene()
        scene.come(sent(Opcode.TEXT, b"before"), broken, sent(Opcode.TEXT, b"after"))
        assert scene.taker.got == ["before"]
        assert scene.transport.is_closing()
        assert scene.transport.written[:1] == b"\x88"
        assert struct.unpack("!H", scene.transport.written[2:4]) == (code,)
        scene.wire.connection_lost(None)
        assert scene.taker.codes == [code]
        scene.wire.write(text_frame(b"late"))
        assert b"late" not in scene.transport.written

    asyncio.run(story())


def test_close_of_the_peer_is_answered() -> None:
    """With its own code and reason; the receiver hears of it once."""

    def story() -> None:
        scene = Scene()
        scene.come(sent(Opcode.CLOSE, closing(4000, b"bye")))
        assert scene.transport.written == answer(Opcode.CLOSE, closing(4000, b"bye"))
        assert scene.transport.is_closing()
        scene.wire.connection_lost(None)
        assert scene.taker.codes == [4000]
        assert not scene.connections

    play(story)


def test_close_of_ours_waits_for_the_answer() -> None:
    """Nothing is written behind it, messages no longer count, and the answer ends it."""

    async def story() -> None:
        scene = Scene()
        scene.wire.close(4409, "x" * 200)
        scene.wire.close(1000)
        assert scene.transport.written == answer(Opcode.CLOSE, closing(4409, b"x" * 123))
        assert not scene.transport.is_closing()
        scene.come(sent(Opcode.TEXT, b"late"))
        assert scene.taker.codes == []
        scene.come(sent(Opcode.CLOSE, closing(4409)))
        assert scene.taker.codes == [4409]
        assert scene.taker.got == []
        assert scene.transport.is_closing()
        assert not scene.transport.aborted

    asyncio.run(story())


def test_peer_that_never_answers_a_close_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire_module, "CLOSE_WITHIN_S", 0.01)

    async def story() -> None:
        scene = Scene()
        scene.wire.close(1012, within_s=0.01)
        await asyncio.wait_for(_until(lambda: scene.transport.aborted), 2)

    asyncio.run(story())


async def _until(condition: Callable[[], bool]) -> None:
    while not condition():
        await asyncio.sleep(0.005)


def test_receiver_may_close_within_a_message() -> None:
    """Also when the peer's close came in the same bytes."""

    def story() -> None:
        scene = Scene()
        scene.taker.on_text = lambda text: scene.wire.close(4400)
        scene.come(
            sent(Opcode.TEXT, b"a"), sent(Opcode.TEXT, b"b"), sent(Opcode.CLOSE, closing(1000))
        )
        assert scene.taker.got == ["a"]
        assert scene.transport.written.count(b"\x88") == 1
        assert scene.transport.is_closing()

    play(story)


def test_vanished_peer_is_told_once() -> None:
    """In the middle of a message; waiters go on and the server forgets the socket."""

    async def story() -> None:
        scene = Scene()
        scene.come(sent(Opcode.TEXT, b"half")[:4])
        scene.wire.pause_writing()
        waiting = asyncio.ensure_future(scene.wire.room())
        await asyncio.sleep(0)
        assert not waiting.done()
        scene.wire.connection_lost(ConnectionResetError())
        await asyncio.wait_for(waiting, 1)
        assert scene.taker.codes == [1006]
        assert not scene.connections
        assert scene.wire.closed

    asyncio.run(story())


def test_full_wire_makes_writers_wait() -> None:
    async def story() -> None:
        scene = Scene()
        await asyncio.wait_for(scene.wire.room(), 1)
        scene.wire.pause_writing()
        assert scene.wire.full
        waiting = [asyncio.ensure_future(scene.wire.room()) for _ in range(2)]
        await asyncio.sleep(0)
        scene.wire.resume_writing()
        await asyncio.wait_for(asyncio.gather(*waiting), 1)

    asyncio.run(story())


def test_flood_of_pings_is_not_read_until_the_pongs_are_taken() -> None:
    """Pongs are ours to buffer: a peer that takes none must not make us hold ever more."""

    def story() -> None:
        scene = Scene()
        scene.transport.held = FLOODED_BYTES + 1
        scene.wire.pause_writing()
        scene.come(sent(Opcode.PING, b""))
        assert not scene.transport.is_reading()
        scene.transport.held = 0
        scene.wire.resume_writing()
        assert scene.transport.is_reading()

    play(story)


def test_early_messages_come_first() -> None:
    """Nothing is delivered before the start, and the transport is read only then."""

    def story() -> None:
        scene = Scene("one", b"two", started=False)
        assert not scene.transport.is_reading()
        scene.wire.resume_writing()
        assert not scene.transport.is_reading()
        scene.wire.start(scene.taker)
        assert scene.transport.is_reading()
        scene.come(sent(Opcode.TEXT, b"three"))
        assert scene.taker.got == ["one", b"two", "three"]

    play(story)


def test_close_before_the_start_is_told_at_the_start() -> None:
    """The code is that of the close; early messages are nobody's business any more."""

    async def story() -> None:
        scene = Scene("early", started=False)
        scene.wire.close(4403, "no")
        await asyncio.sleep(0)
        scene.wire.start(scene.taker)
        assert scene.taker.codes == [4403]
        assert scene.taker.got == []
        assert scene.transport.is_reading()  # for the answer

    asyncio.run(story())


def test_silence_is_pinged_then_closed() -> None:
    """Any byte of the peer counts as an answer."""

    async def story() -> None:
        scene = Scene()
        scene.wire.sweep(2, 4)
        assert scene.transport.written == b""
        scene.wire.sweep(2, 4)
        assert scene.transport.written[:1] == b"\x89"
        scene.come(sent(Opcode.PONG, b"ping"))
        for _ in range(3):
            scene.wire.sweep(2, 4)
        assert not scene.transport.is_closing()
        scene.wire.sweep(2, 4)
        assert scene.transport.is_closing()
        assert closing(1011) in scene.transport.written
        scene.wire.connection_lost(None)
        assert scene.taker.codes == [1011]

    asyncio.run(story())


def test_shutdown_says_why() -> None:
    """As uvicorn asks it of all its connections; a close sent before stays the only one."""

    async def story() -> None:
        scene, closed = Scene(), Scene()
        scene.wire.shutdown()
        assert scene.transport.written == answer(Opcode.CLOSE, closing(1012))
        closed.wire.close(4409)
        closed.wire.shutdown()
        assert closed.transport.written == answer(Opcode.CLOSE, closing(4409))
        assert scene.transport.is_closing()
        assert closed.transport.is_closing()

    asyncio.run(story())
