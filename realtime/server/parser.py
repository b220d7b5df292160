"""The websockets library's parser of frames, with a close allowed in the middle of a message.

RFC 6455 lets control frames stand between the fragments of a message (section 5.4) and says that a
close is answered with the code it came with (5.5.1). The library calls that close a protocol error
(1002); it says so in its own notes on conformance.
"""

from websockets.frames import Frame, Opcode
from websockets.protocol import Protocol
from websockets.server import ServerProtocol


class Parser(Protocol):
    """From an open connection on."""

    def recv_frame(self, frame: Frame) -> None:
        if frame.opcode is Opcode.CLOSE:
            self.current_size = None  # the message that has begun goes with the connection
        super().recv_frame(frame)


class ServerParser(Parser, ServerProtocol):
    """From the handshake on."""
