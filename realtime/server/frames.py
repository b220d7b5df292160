"""WebSocket frames as a server writes them (RFC 6455, section 5.2): unmasked, unfragmented."""

import struct
from collections.abc import Sequence
from functools import lru_cache

from websockets.frames import Opcode

from realtime.protocol.socket_io import event_packet

MAX_REASON_BYTES = 123  # section 5.5: a control frame holds 125, two of them the code
_SMALL, _MEDIUM = 126, 65_536
_FIN = 0x80


@lru_cache(maxsize=1024)
def _head(opcode: int, length: int) -> bytes:
    if length < _SMALL:
        return struct.pack("!BB", _FIN | opcode, length)
    if length < _MEDIUM:
        return struct.pack("!BBH", _FIN | opcode, 126, length)
    return struct.pack("!BBQ", _FIN | opcode, 127, length)


def text_frame(payload: bytes) -> bytes:
    """One frame of text; `payload` is UTF-8."""
    return _head(Opcode.TEXT, len(payload)) + payload


def binary_frame(payload: bytes) -> bytes:
    return _head(Opcode.BINARY, len(payload)) + payload


def text_frames(payloads: Sequence[bytes]) -> bytes:
    """The frames of several texts, one behind the other, for one write."""
    if len(payloads) == 1:
        return text_frame(payloads[0])
    parts: list[bytes] = []
    for payload in payloads:
        parts.append(_head(Opcode.TEXT, len(payload)))
        parts.append(payload)
    return b"".join(parts)


def socket_io_frames(payloads: Sequence[bytes]) -> bytes:
    """As `text_frames`, each text being a Socket.IO packet. Raises ValueError as `event_packet`."""
    return text_frames([event_packet(payload) for payload in payloads])


def fitting_reason(reason: str) -> str:
    """As much of a close reason as a close frame holds, not cut within a character."""
    return reason.encode()[:MAX_REASON_BYTES].decode(errors="ignore")
