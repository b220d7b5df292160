"""A socket that was handed over, at its edges: bytes as a peer may send them, full transports."""

import asyncio
import struct

import pytest
from websockets.frames import Opcode

from realtime.server.frames import text_frame
from realtime.server.wire import FLOODED_BYTES
from tests.server.scene import MAX_BYTES, Scene, answer, closing, play, sent


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
