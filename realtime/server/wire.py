"""A WebSocket after its handshake, as small as can be: a transport and what a peer may do on it.

Text arrives by callback, and nothing is kept of a socket that is idle: frames are parsed by the
websockets library's own parser, which is made when bytes arrive and dropped when it stands between
two messages again. There are no timers either, but for a closing handshake: `sweep` finds silence.

Must not import Django, nor anything that is above the transport.
"""

import asyncio
import logging
from typing import Any

from websockets.frames import CloseCode, Frame, Opcode
from websockets.protocol import SERVER, State
from websockets.streams import StreamReader

from realtime.server.client_frames import is_pong, whole_text
from realtime.server.frames import fitting_reason
from realtime.server.outlet import Outlet, Receiver
from realtime.server.parser import Parser

PREPARED_FRAMES = "realtime.prepared_frames"  # the ASGI extension that gives wires
# One mark for both: what is above it is told at once, what falls below it too.
FULL_BYTES = 65_536
FLOODED_BYTES = 262_144  # above it a peer that goes on asking is not read
CLOSE_WITHIN_S = 10.0  # what a peer has to answer a close, as uvicorn gives it

_PING = b"\x89\x04ping"  # any byte of the peer answers it

logger = logging.getLogger(__name__)


class Wire(Outlet):
    """An open WebSocket. Use it in its loop's thread only.

    closed: nothing more is written: a close was sent or received, or the peer is gone
    full: more than 64 KiB wait for the peer; false again when less do
    silent: the sweeps since the peer was last heard of
    """

    __slots__ = (
        "_code",
        "_connections",
        "_deaf",
        "_early",
        "_fragments",
        "_max_bytes",
        "_parser",
        "_timer",
        "silent",
    )

    def __init__(
        self,
        transport: asyncio.Transport,
        connections: set[Any],
        max_bytes: int,
        early: list[str | bytes],
    ) -> None:
        """`connections` is the server's own set, which a stop goes through; `max_bytes` is the
        largest message that a peer may send; `early` are messages that came already. The
        transport's reading must be paused: `start` resumes it."""
        super().__init__(transport)
        self._connections = connections
        self._max_bytes = max_bytes
        self._early: list[str | bytes] | None = early
        self._deaf = True  # the transport's reading is paused
        self._parser: Parser | None = None
        self._fragments: list[bytes] | None = None  # of a message, the first byte tells its kind
        self._timer: asyncio.TimerHandle | None = None
        self._code: int | None = None  # of our own close
        self.silent = 0

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._deaf and self._receiver is not None:
            self._hear()

    # Reading

    def _hear(self) -> None:
        self._deaf = False
        if not self._transport.is_closing():
            self._transport.resume_reading()

    def start(self, receiver: Receiver) -> None:
        """Deliver from now on, first the messages that came before. To be called once."""
        self._receiver = receiver
        early, self._early = self._early, None
        for message in early or ():
            self._deliver(message)
        if self.closed:
            sent = self._parser.close_sent if self._parser is not None else None
            self._disconnected(CloseCode.ABNORMAL_CLOSURE if sent is None else sent.code)
        else:
            self._hear()

    def adopt(self, parser: Parser, fragments: list[bytes] | None) -> None:
        """Go on where another protocol stopped: within a frame, or within a message."""
        self._fragments = fragments
        if _stands_between_messages(parser):
            parser.parser.close()
        else:
            self._parser = parser

    def data_received(self, data: bytes) -> None:
        self.silent = 0
        parser = self._parser
        if parser is None:
            if (payload := whole_text(data, self._max_bytes)) is not None:
                self._complete(Opcode.TEXT, payload)
                return
            if is_pong(data):
                return
            parser = self._parser = self._made_parser()
        parser.receive_data(data)
        for frame in parser.events_received():
            if isinstance(frame, Frame):
                self._take(frame)
                if frame.opcode is Opcode.PING and parser.writes:
                    # Its pong, before the answers to what came behind it.
                    self._answer(parser.writes.pop(0))
        self._answer(b"".join(parser.data_to_send()))
        if parser.close_rcvd is not None and parser.parser_exc is None:
            self._end(parser.close_rcvd.code)
        elif parser.parser_exc is not None:
            sent = parser.close_sent
            self._end(CloseCode.ABNORMAL_CLOSURE if sent is None else sent.code)
        elif _stands_between_messages(parser):
            parser.parser.close()  # it refers to itself: without this it would wait for the gc
            self._parser = None

    def _made_parser(self) -> Parser:
        return Parser(SERVER, state=State.OPEN, max_size=self._max_bytes, logger=logger)

    def _take(self, frame: Frame) -> None:
        opcode, data = frame.opcode, bytes(frame.data)
        if opcode is Opcode.TEXT or opcode is Opcode.BINARY:
            if frame.fin:
                self._complete(opcode, data)
            else:
                self._fragments = [bytes([opcode]), data]
        elif opcode is Opcode.CONT and self._fragments is not None:
            self._fragments.append(data)
            if frame.fin:
                (kind, *parts), self._fragments = self._fragments, None
                self._complete(Opcode(kind[0]), b"".join(parts))

    def _complete(self, opcode: Opcode, data: bytes) -> None:
        if opcode is Opcode.BINARY:
            self._deliver(data)
            return
        try:
            text = data.decode()
        except UnicodeDecodeError:
            self.fail(CloseCode.INVALID_DATA, "expected UTF-8, got other bytes")
        else:
            self._deliver(text)

    def _deliver(self, message: str | bytes) -> None:
        """What comes after a close of either side is nobody's business any more."""
        if self.closed or self._receiver is None:
            return
        if isinstance(message, str):
            self._receiver.text_received(message)
        else:
            self._receiver.binary_received(message)

    def _answer(self, output: bytes) -> None:
        """What the parser answered by itself: pongs and closes. A peer that asks for more pongs
        than it takes is not read until it has taken them."""
        if not output:
            return
        self._flush()
        self._put(output)
        if self.full and not self.closed and self.buffered > FLOODED_BYTES:
            self._deaf = True
            self._transport.pause_reading()

    # Silence

    def sweep(self, ping_after: int, close_after: int) -> None:
        """Called once a second or so: ping a peer that was silent for `ping_after` calls, close
        one that was for `close_after`. One that is not heard yet cannot be silent."""
        if self.closed or self._receiver is None:
            return
        self.silent += 1
        if self.silent == ping_after:
            self.write(_PING)
        elif self.silent >= close_after:
            self.fail(CloseCode.INTERNAL_ERROR, "keepalive ping timeout")

    # The end

    def close(self, code: int, reason: str = "", *, within_s: float = CLOSE_WITHIN_S) -> None:
        """Send a close behind what was written; whoever has not answered it by then is cut off.

        The receiver hears of it with the peer's answer, or when the connection is gone. Raises
        ProtocolError for a code that a close frame may not carry.
        """
        if self.closed:
            return
        parser = self._parser
        if parser is None:
            parser = self._parser = self._made_parser()
        if parser.state is State.OPEN:  # else the parser has met the peer's close, or a fault
            parser.send_close(code, fitting_reason(reason))
        self._withdraw()
        self.closed = True
        self._flush()
        self._transport.write(b"".join(parser.data_to_send()))
        if self._deaf:
            self._hear()
        self._code = code
        self._cut_off_after(within_s)
        self._let_go()

    def fail(self, code: int, reason: str) -> None:
        """Close without waiting for an answer: the peer is taken for dead, or broke the rules."""
        self.close(code, reason)
        self._transport.close()

    def shutdown(self) -> None:
        """The server stops; it asks this of all its connections at once."""
        self.fail(CloseCode.SERVICE_RESTART, "")

    def _end(self, code: int) -> None:
        """Both sides have said what they had to say."""
        self._withdraw()
        self.closed = True
        self._transport.close()
        if self.buffered:
            self._cut_off_after(CLOSE_WITHIN_S)
        self._disconnected(code)

    def _cut_off_after(self, within_s: float) -> None:
        """close() alone waits for the peer to take what is buffered, for ever."""
        if self._timer is None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(within_s, self._transport.abort)

    def connection_lost(self, exc: Exception | None) -> None:
        self._withdraw()  # the number may be another connection's from here on
        self.closed = True
        self._held = None
        self._connections.discard(self)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._parser is not None:
            self._parser.parser.close()
            self._parser = None
        self._disconnected(CloseCode.ABNORMAL_CLOSURE)

    def _disconnected(self, code: int) -> None:
        self._let_go()
        receiver, self._receiver = self._receiver, None
        if receiver is not None:
            receiver.disconnected(code if self._code is None else self._code)


def _stands_between_messages(parser: Parser) -> bool:
    """Nothing of it is needed for what comes next.

    Its generator tells where it stands: `at_eof` waits for the first byte of a frame.
    """
    if parser.state is not State.OPEN or parser.current_size is not None:
        return False
    place: Any = parser.parser
    while place.gi_yieldfrom is not None:
        place = place.gi_yieldfrom
    return bool(place.gi_code is StreamReader.at_eof.__code__)
