"""The writer of a socket that was handed over keeps the rules of the one over ASGI."""

import asyncio
from typing import Any

from realtime.protocol.batch import Batch, Codec
from realtime.protocol.codes import CloseCode
from realtime.server.frames import socket_io_frames, text_frame, text_frames
from realtime.server.wire import FULL_BYTES, Wire
from realtime.sockets.liveness import pings_within
from realtime.sockets.prepared import PreparedWriter
from realtime.sockets.writer import LAGGING_BYTES


class FakeTransport:
    """Holds what is written until the test says that the peer `takes` it; without a socket."""

    def __init__(self) -> None:
        self.writes: list[bytes] = []
        self.held = 0
        self.wire: Any = None
        self.closed = False

    def write(self, data: bytes) -> None:
        self.writes.append(data)
        self.held += len(data)
        if self.held > FULL_BYTES:
            self.wire.pause_writing()

    def writelines(self, parts: list[bytes]) -> None:
        self.write(b"".join(parts))

    def takes(self, size: int) -> None:
        self.held = max(0, self.held - size)
        if self.held <= FULL_BYTES:
            self.wire.resume_writing()

    def get_write_buffer_size(self) -> int:
        return self.held

    def get_extra_info(self, name: str) -> None:
        return None

    def is_closing(self) -> bool:
        return self.closed

    def resume_reading(self) -> None: ...

    def close(self) -> None:
        self.closed = True

    abort = close


class Receiver:
    """Takes nothing; there is no peer that would send."""

    def text_received(self, text: str) -> None: ...

    def binary_received(self, data: bytes) -> None: ...

    def descriptor_withdrawn(self) -> None: ...

    def disconnected(self, code: int) -> None: ...


def made() -> tuple[PreparedWriter, FakeTransport, Wire]:
    transport: Any = FakeTransport()
    wire = transport.wire = Wire(transport, set(), 1_000, [])
    wire.start(Receiver())
    return PreparedWriter(wire), transport, wire


def lags(writer: PreparedWriter) -> bool:
    return not writer.writable


def test_list_of_frames_is_one_write() -> None:
    writer, transport, _ = made()
    writer.write_nowait([b"1", b"2" * 200])
    assert transport.writes == [text_frame(b"1") + text_frame(b"2" * 200)]


def test_batch_is_the_same_bytes_for_every_socket() -> None:
    """Not equal ones: they are made once."""
    (one, first, _), (other, second, _) = made(), made()
    batch = Batch([b"1", b"2"])
    one.write_nowait(batch)
    other.write_nowait(batch)
    assert first.writes[0] is second.writes[0]
    assert first.writes[0] == text_frames([b"1", b"2"])


def test_socket_lags_above_256_kib_and_not_for_its_last_reply() -> None:
    """A large reply is what the client asked for; what is beyond it counts."""

    async def scene() -> None:
        writer, transport, _ = made()
        writer.reply_nowait(b"r" * 2 * LAGGING_BYTES)
        assert not lags(writer)
        writer.write_nowait([b"x" * (LAGGING_BYTES + 100)])
        assert lags(writer)
        transport.takes(1_000)
        assert not lags(writer)
        transport.takes(10 * LAGGING_BYTES)
        assert not lags(writer)
        writer.write_nowait([b"x" * (LAGGING_BYTES + 100)])
        writer.reply_nowait(b"small")
        assert lags(writer)

    asyncio.run(scene())


def test_replies_of_one_turn_are_one_write_and_keep_their_order() -> None:
    """An event behind them does not overtake them and leaves with them; a close comes last."""

    async def scene() -> None:
        writer, transport, wire = made()
        writer.reply_nowait(b"1")
        writer.reply_nowait(b"2")
        assert not transport.writes
        assert wire.buffered == len(text_frames([b"1", b"2"]))
        await asyncio.sleep(0)
        assert transport.writes == [text_frames([b"1", b"2"])]
        writer.reply_nowait(b"3")
        writer.write_nowait([b"event"])
        assert transport.writes[1:] == [text_frames([b"3", b"event"])]
        writer.reply_nowait(b"4")
        writer.close_nowait(CloseCode.NORMAL, "")
        assert transport.writes[2] == text_frame(b"4")
        assert transport.writes[3][:1] == b"\x88"
        wire.connection_lost(None)

    asyncio.run(scene())


def test_drained_waits_for_64_kib() -> None:
    async def scene() -> None:
        writer, transport, _ = made()
        await asyncio.wait_for(writer.drained(), 1)
        writer.write_nowait([b"x" * (FULL_BYTES + 100)])
        waiting = asyncio.ensure_future(writer.drained())
        await asyncio.sleep(0)
        assert not waiting.done()
        transport.takes(200)
        await asyncio.wait_for(waiting, 1)

    asyncio.run(scene())


def test_peer_that_takes_nothing_is_stalled() -> None:
    """Whatever is written to it meanwhile; and one that takes a little is not."""
    writer, transport, _ = made()
    assert writer.stalled_s(100.0) == 0.0
    writer.write_nowait([b"x" * 1_000])
    assert writer.stalled_s(101.0) <= 1.0  # since the last look
    writer.write_nowait([b"x" * 1_000])
    assert writer.stalled_s(111.0) >= 10.0
    writer.write_nowait([b"x" * 1_000])
    transport.takes(10)
    assert writer.stalled_s(112.0) == 0.0
    transport.takes(10_000)
    assert writer.stalled_s(150.0) == 0.0


def test_abandoned_peer_gets_the_close_behind_what_is_held() -> None:
    async def scene() -> None:
        writer, transport, _ = made()
        writer.write_nowait([b"x"])
        writer.abandon(CloseCode.SLOW_CONSUMER, "slow")
        writer.close_nowait(CloseCode.NORMAL, "second")
        writer.write_nowait([b"late"])
        assert writer.closed
        assert lags(writer)
        assert [one[:1] for one in transport.writes] == [b"\x81", b"\x88"]
        await writer.drained()

    asyncio.run(scene())


def test_silence_counts_only_while_nothing_waits_for_the_peer() -> None:
    """A pong would stand in line behind what a slow reader has still to take."""

    async def scene() -> None:
        writer, transport, wire = made()
        pings = pings_within(2.0)
        writer.write_nowait([b"x"])
        for _ in range(2 * pings.close_after):
            writer.ping_when_silent(pings)
        assert len(transport.writes) == 1
        for _ in range(pings.close_after):
            transport.held = 0
            writer.ping_when_silent(pings)
        assert transport.closed
        assert wire.closed

    asyncio.run(scene())


def test_first_look_at_a_busy_socket_finds_no_silence() -> None:
    """Bug: a new socket whose first reply was still under way seemed silent since the loop's clock
    began, and was closed with 4508."""
    writer, transport, _ = made()
    writer.write_nowait([b"x" * 100_000])
    transport.takes(0)
    assert writer.stalled_s(19_182.0) == 0.0
    assert writer.stalled_s(19_183.0) <= 1.0


def test_pongs_are_no_silence() -> None:
    """Bug: bytes that the wire writes by itself stood in its buffer and not in what was written, so
    that a slow peer which pings seemed to take nothing."""
    writer, transport, wire = made()
    writer.write_nowait([b"x" * 50_000])
    assert writer.stalled_s(100.0) == 0.0
    ping = b"\x89\x85\0\0\0\0hello"
    for second in range(1, 5):
        transport.takes(5_000)
        for _ in range(800):
            wire.data_received(ping)
        assert writer.stalled_s(100.0 + second) <= 1.0


def test_each_codec_is_built_once_for_all_its_sockets() -> None:
    """JSON text for some, Socket.IO packets for others; what nobody wants is not made."""

    class SocketIoWriter(PreparedWriter):
        __slots__ = ()

        @property
        def codec(self) -> Codec:
            return socket_io_frames

    event, signal = b'{"type":"new_message","seq":1}', b'{"type":"user_joined"}'
    batch = Batch([event, signal])
    wires = [made() for _ in range(4)]
    for _, _, wire in wires[:2]:
        PreparedWriter(wire).write_nowait(batch)
    assert list(batch._forms) == [text_frames]
    for _, _, wire in wires[2:]:
        SocketIoWriter(wire).write_nowait(batch)
    plain, plain_again, packets, packets_again = (transport.writes[0] for _, transport, _ in wires)
    assert plain is plain_again
    assert packets is packets_again
    expected = [b'42["new_message",%b]' % event, b'42["user_joined",%b]' % signal]
    assert packets == text_frames(expected)
