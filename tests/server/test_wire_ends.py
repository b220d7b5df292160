"""How a socket that was handed over ends: by a close of either side, by silence, by vanishing."""

import asyncio
from collections.abc import Callable

import pytest
from websockets.frames import Opcode

from realtime.server import wire as wire_module
from tests.server.scene import Scene, answer, closing, play, sent


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
