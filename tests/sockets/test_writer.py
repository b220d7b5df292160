"""The writer of one socket, over a `send` that this test decides about."""

import asyncio
from typing import Any

import pytest

from realtime.protocol.codes import CloseCode
from realtime.sockets import writer as writer_module
from realtime.sockets.writer import AsgiWriter


class Peer:
    """A fake of ASGI's `send`: takes messages while it is `reading`, and keeps them."""

    def __init__(self) -> None:
        self.taken: list[dict[str, Any]] = []
        self.reading = asyncio.Event()

    async def send(self, message: dict[str, Any]) -> None:
        await self.reading.wait()
        self.taken.append(message)


async def stalled_writer(peer: Peer) -> AsgiWriter:
    """A writer whose peer takes nothing, given up as the sweep does it."""
    writer = AsgiWriter(peer.send)
    writer.write_nowait([b"{}"] * 3)
    await asyncio.sleep(0)  # its task is at the first frame now
    now = asyncio.get_running_loop().time()
    writer.stalled_s(now)
    assert writer.stalled_s(now + 30) >= 30
    writer.abandon(CloseCode.SLOW_CONSUMER, "slow")
    return writer


def test_stalled_peer_is_closed_with_slow_consumer() -> None:
    """Regression: the writer was closed already when the code was given, so that 4508 never went
    out and the socket stayed open for ever."""

    async def scene() -> list[dict[str, Any]]:
        peer = Peer()
        writer = await stalled_writer(peer)
        peer.reading.set()
        await writer.finished()
        return peer.taken

    closing = {"type": "websocket.close", "code": 4508, "reason": "slow"}
    assert asyncio.run(scene())[-1] == closing


def test_peer_that_does_not_even_take_the_close_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """The writer ends and holds nothing."""
    monkeypatch.setattr(writer_module, "CLOSE_WITHIN_S", 0.05)

    async def scene() -> tuple[AsgiWriter, Peer]:
        peer = Peer()
        writer = await stalled_writer(peer)
        await writer.finished()
        writer.write_nowait([b"{}"])
        return writer, peer

    writer, peer = asyncio.run(scene())
    assert peer.taken == []
    assert not writer.writable


def test_close_follows_what_is_queued() -> None:
    """In order, nothing after it, and the first close wins."""

    async def scene() -> list[dict[str, Any]]:
        peer = Peer()
        peer.reading.set()
        writer = AsgiWriter(peer.send)
        writer.write_nowait([b"1", b"2"])
        writer.close_nowait(CloseCode.REVOKED, "first")
        writer.close_nowait(CloseCode.NORMAL, "second")
        writer.write_nowait([b"3"])
        await writer.finished()
        return peer.taken

    assert asyncio.run(scene()) == [
        {"type": "websocket.send", "text": "1"},
        {"type": "websocket.send", "text": "2"},
        {"type": "websocket.close", "code": 4409, "reason": "first"},
    ]
