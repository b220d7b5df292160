"""What owning a process of a data folder takes: the folder's lock, its log, its end.

Whoever holds the lock owns the process; the others wait for the lock, and the first of them takes
over when the owner dies. Must not import Django: settings import this.
"""

import fcntl
import os
import subprocess
from pathlib import Path

MAX_LOG_BYTES = 1024 * 1024
_STOP_TIMEOUT_S = 2.0


class FolderLock:
    """An exclusive lock on a file, held for as long as this process lives or until `release`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._fd: int | None = None

    @property
    def held(self) -> bool:
        return self._fd is not None

    def touch(self) -> None:
        """Make the file. Raises OSError where the folder cannot be written to."""
        os.close(self._open())

    def take(self) -> bool:
        """Whether it is ours now; does not wait. Raises OSError."""
        # Opened anew each time: the folder may have been emptied and made again meanwhile.
        fd = self._open()
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(fd)
            return False
        self._fd = fd
        return True

    def release(self) -> None:
        """Also in a forked child, which would keep the open file, and so the lock, beyond the
        owner's death: closing its copy does not unlock the parent's."""
        fd, self._fd = self._fd, None
        if fd is not None:
            os.close(fd)

    def _open(self) -> int:
        return os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


def rotate(log: Path) -> None:
    """A large log becomes the one before; its writer opens it for each line, or is not there."""
    if log.exists() and log.stat().st_size > MAX_LOG_BYTES:
        log.replace(log.with_name(f"{log.name}.1"))


def end(process: subprocess.Popen[bytes]) -> None:
    """SIGTERM, and SIGKILL for one that does not heed it."""
    process.terminate()
    try:
        process.wait(_STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
