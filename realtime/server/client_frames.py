"""What nearly every read of a socket holds: one command, whole, in one frame of text, or a pong.

Both are told from everything else by their headers alone, so that no parser has to be made.
Pure: bytes in, bytes out. RFC 6455, section 5.2, has the layout.
"""

# Compiled, where the library's wheel is.
from websockets.frames import apply_mask  # type: ignore[attr-defined]

_TEXT = 0x81  # final, no extension, text
_PONG = 0x8A  # final, no extension, pong
_MASKED = 0x80
_KEY = 4
_LONGEST = 125  # that the second byte tells by itself
_IN_2, _IN_8 = 126, 127  # the length follows in so many bytes


def whole_text(data: bytes, max_bytes: int) -> bytes | None:
    """The payload of exactly one unfragmented text frame of a client, at most `max_bytes` long.

    None when `data` is anything else, or no valid frame at all: then a parser has to look at it.
    Whether the payload is UTF-8 is left to see.
    """
    if len(data) < 2 + _KEY or data[0] != _TEXT or data[1] < _MASKED:
        return None
    length, start, shortest = data[1] - _MASKED, 2, 0
    if length == _IN_2:
        start, shortest = 4, _LONGEST + 1
    elif length == _IN_8:
        start, shortest = 10, 1 << 16
    if shortest:
        length = int.from_bytes(data[2:start])
    # A length has to be told in as few bytes as it fits in.
    if not shortest <= length <= max_bytes or len(data) != start + _KEY + length:
        return None
    key, payload = data[start : start + _KEY], data[start + _KEY :]
    unmasked: bytes = apply_mask(payload, key)
    return unmasked


def is_pong(data: bytes) -> bool:
    """Whether `data` is exactly one pong of a client: there is nothing to do about it."""
    return (
        len(data) >= 2 + _KEY
        and data[0] == _PONG
        and _MASKED <= data[1] <= _MASKED + _LONGEST
        and len(data) == 2 + _KEY + data[1] - _MASKED
    )
