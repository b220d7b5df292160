"""Where the embedded server listens, and the few words spoken to it without a client library.

Must not import Django: settings ask for the path.
"""

import hashlib
import os
import socket
import stat
import sys
import tempfile
import time
from pathlib import Path

# sun_path holds 108 bytes on Linux and 104 elsewhere, the closing zero included.
MAX_SOCKET_PATH_BYTES = 107 if sys.platform == "linux" else 103

_ANSWER_TIMEOUT_S = 1.0
_ORPHAN_TIMEOUT_S = 2.0


class EmbeddedValkeyError(Exception):
    """The embedded server cannot be started or does not answer."""


def socket_path(data_dir: Path, name: str = "valkey") -> Path:
    """Where the server `name` of the folder listens: in it, or nearby when that is too long.

    Pure: makes nothing. Processes that share a data folder must share the system's temporary
    folder too (TMPDIR) when the path is long. Raises EmbeddedValkeyError when even the short path
    is longer than a socket's path may be.
    """
    folder = data_dir.resolve()
    path = folder / f"{name}.sock"
    if len(os.fsencode(path)) <= MAX_SOCKET_PATH_BYTES:
        return path
    digest = hashlib.sha256(os.fsencode(folder)).hexdigest()[:16]
    path = Path(tempfile.gettempdir()) / f"pm-{name}-{os.getuid()}" / f"{digest}.sock"
    if (length := len(os.fsencode(path))) > MAX_SOCKET_PATH_BYTES:
        raise EmbeddedValkeyError(
            f"expected a socket path of at most {MAX_SOCKET_PATH_BYTES} bytes, "
            f"got {length}: {path} (a shorter DATA_DIR or TMPDIR helps)"
        )
    return path


def claim_folder(folder: Path) -> None:
    """Make `folder`, or check that nobody else could have made it: temporary folders are shared."""
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    mode = stat.S_IMODE(found.st_mode)
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or mode & 0o077:
        raise EmbeddedValkeyError(
            f"expected {folder} to be a folder of ours with mode 0700, "
            f"got owner {found.st_uid} and mode {mode:04o}"
        )


def ask(path: Path, command: bytes) -> bytes:
    """The first bytes of the answer to an inline command; empty when nobody answers."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(_ANSWER_TIMEOUT_S)
        try:
            connection.connect(os.fsencode(path))
            connection.sendall(command)
            return connection.recv(64)
        except OSError:
            return b""


def end_orphan(path: Path) -> None:
    """Stop a server that answers although its owner is gone (systems without a death signal)."""
    deadline = time.monotonic() + _ORPHAN_TIMEOUT_S
    while ask(path, b"PING\r\n"):
        if time.monotonic() > deadline:
            raise EmbeddedValkeyError(f"expected nobody on {path}, got a server that will not stop")
        ask(path, b"SHUTDOWN NOSAVE\r\n")
