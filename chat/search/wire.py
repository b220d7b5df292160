"""What is said between the embedder and whoever asks it: a length, then that many bytes of JSON.

The length is 4 bytes, big-endian. One question, one answer, any number of times. Must not import
Django, nor `engine`.
"""

import json
import socket
import struct
from pathlib import Path
from typing import Any

from realtime.embedded.endpoint import socket_path

NAME = "embedder"
LENGTH = struct.Struct(">I")
MAX_BYTES = 4 * 2**20
MAX_TEXTS = 16  # of one question to embed; answered within a second on an idle core
MAX_TEXT_CHARS = 40_000


class WireError(Exception):
    """The other end closed in the middle, or says what nobody may say."""


def embedder_socket(data_dir: Path) -> Path:
    return socket_path(data_dir, NAME)


def framed(value: dict[str, Any]) -> bytes:
    """Raises WireError."""
    content = json.dumps(value, separators=(",", ":")).encode()
    if len(content) > MAX_BYTES:
        raise WireError(f"expected at most {MAX_BYTES} bytes, got {len(content)}")
    return LENGTH.pack(len(content)) + content


def length_of(header: bytes) -> int:
    """Raises WireError."""
    (length,) = LENGTH.unpack(header)
    if length > MAX_BYTES:
        raise WireError(f"expected at most {MAX_BYTES} bytes, got {length}")
    return int(length)


def parsed(content: bytes) -> dict[str, Any]:
    """Raises WireError."""
    try:
        value = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise WireError(f"expected JSON, got {content[:40]!r}") from error
    if not isinstance(value, dict):
        raise WireError(f"expected an object, got {type(value).__name__}")
    return value


def asked(path: Path, question: dict[str, Any], timeout_s: float) -> dict[str, Any]:
    """The answer, in `timeout_s` for each step. Raises OSError (TimeoutError too), WireError."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(timeout_s)
        connection.connect(str(path))
        connection.sendall(framed(question))
        return parsed(_exactly(connection, length_of(_exactly(connection, LENGTH.size))))


def _exactly(connection: socket.socket, size: int) -> bytes:
    content = bytearray()
    while len(content) < size:
        piece = connection.recv(size - len(content))
        if not piece:
            raise WireError(f"expected {size} bytes, got {len(content)} and the end")
        content += piece
    return bytes(content)
