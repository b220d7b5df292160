"""Keeps one process of a kind running for a data folder, whoever of its users is there.

Like the embedded Valkey: whoever holds the folder's lock for the name owns the process, the others
wait for the lock, and the first of them takes over when the owner dies. The process dies with its
owner. Must not import Django.
"""

import logging
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Self

from realtime.embedded.lifetime import die_with_parent
from realtime.embedded.owned import FolderLock, end, rotate

logger = logging.getLogger(__name__)

_TICK_S = 0.25
_LOOK_INTERVAL_S = 2.0
_MAX_MISSED_LOOKS = 5
_START_TIMEOUT_S = 60.0
_FIRST_BACKOFF_S = 0.5
_MAX_BACKOFF_S = 30.0
_MAX_DOUBLINGS = 10


class Companion:
    """`command` runs in `cwd`; `answers()` says, within a second, whether the process does.

    As a context manager it keeps the process while it is entered. A process that exits is started
    again, later each time unless it has answered; one that stops answering is ended first.
    """

    def __init__(
        self,
        data_dir: Path,
        name: str,
        command: Sequence[str],
        answers: Callable[[], bool],
        *,
        cwd: Path,
    ) -> None:
        folder = data_dir.resolve()
        self._name = name
        self._command = list(command)
        self._answers = answers
        self._cwd = cwd
        self._log_path = folder / f"{name}.log"
        self._lock = FolderLock(folder / f"{name}.lock")
        self._stopping = threading.Event()
        self._process: subprocess.Popen[bytes] | None = None
        self._answered = False
        self._failures = 0
        self._started_at = self._start_after = self._look_after = 0.0
        self._missed = 0
        # Every start is made by this one thread: the parent-death signal is bound to the thread.
        self._guardian = threading.Thread(target=self._guard, name=f"{name}-guardian", daemon=True)

    @property
    def owner(self) -> bool:
        """Whether this process holds the folder's lock."""
        return self._lock.held

    def __enter__(self) -> Self:
        self._guardian.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop guarding: the owner's process ends, and somebody else takes over."""
        self._stopping.set()
        self._guardian.join()

    # --- the guardian's thread ---

    def _guard(self) -> None:
        try:
            while not self._stopping.is_set():
                try:
                    self._tend(time.monotonic())
                except (OSError, subprocess.SubprocessError) as error:
                    self._note_failure(str(error))
                self._stopping.wait(_TICK_S)
        finally:
            self._release()

    def _tend(self, now: float) -> None:
        if self._process is None:
            if now >= self._start_after and (self.owner or self._lock.take()):
                self._start(now)
        elif self._process.poll() is not None:
            status, self._process = self._process.returncode, None
            self._note_failure(f"exit status {status} (its log: {self._log_path})")
        elif now >= self._look_after:
            self._look(self._process, now)

    def _start(self, now: float) -> None:
        rotate(self._log_path)
        with self._log_path.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - the app's own command
                self._command,
                cwd=self._cwd,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                # Ctrl-C reaches a whole process group; this one ends when we end it.
                start_new_session=True,
                preexec_fn=partial(die_with_parent, os.getpid(), signal.SIGKILL),  # noqa: PLW1509
            )
        self._answered, self._missed = False, 0
        self._started_at = self._look_after = now
        logger.info("%s started pid=%d", self._name, self._process.pid)

    def _look(self, process: subprocess.Popen[bytes], now: float) -> None:
        """Note whether it answers; end one that does not any more, or never did."""
        if self._answers():
            self._answered, self._missed, self._failures = True, 0, 0
        elif self._answered:
            self._missed += 1
        self._look_after = now + (_LOOK_INTERVAL_S if self._answered else _TICK_S)
        hangs = self._missed >= _MAX_MISSED_LOOKS
        if hangs or not (self._answered or now - self._started_at < _START_TIMEOUT_S):
            logger.warning("%s hangs pid=%d", self._name, process.pid)
            process.kill()
            process.wait()

    def _note_failure(self, failure: str) -> None:
        doublings = min(self._failures, _MAX_DOUBLINGS)
        wait_s = min(_MAX_BACKOFF_S, _FIRST_BACKOFF_S * 2**doublings)
        self._start_after = time.monotonic() + wait_s
        self._failures += 1
        logger.warning("%s is down reason=%r retry_in_s=%.1f", self._name, failure, wait_s)

    def _release(self) -> None:
        if self._process is not None:
            end(self._process)
        self._lock.release()  # last: a successor's process must not meet ours
