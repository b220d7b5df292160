"""Frames as Socket.IO clients get them: an event named by the frame's type, the frame its argument.

Engine.IO 4 and Socket.IO 5, text packets: `4` is a message, `2` an event in the namespace `/`
(https://socket.io/docs/v4/socket-io-protocol/#event). PROTOCOL section 8 says what clients see.
"""

import re

_TYPE = re.compile(rb'\{"type":("[a-z_]+")')


def event_packet(frame: bytes) -> bytes:
    """The packet of an event or signal; its JSON goes in as it stands.

    Raises ValueError for a frame that does not begin with its type, as every one of ours does.
    """
    match = _TYPE.match(frame)
    if match is None:
        raise ValueError(f"expected a frame that begins with its type, got {frame[:40]!r}")
    return b"42[%b,%b]" % (match[1], frame)
