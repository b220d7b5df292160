"""The worker that `manage.py serve` keeps: a process of its own, started again when it dies."""

import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

logger = logging.getLogger(__name__)

MIN_PAUSE_S = 1.0
MAX_PAUSE_S = 30.0
LONG_LIFE_S = 60.0  # a worker that lived so long died of something new
WIND_UP_S = 5.0  # beyond the drain, as the server's own


def worker_command() -> list[str]:
    """By its module: the script that started this process may be anything."""
    me = str(os.getpid())
    return [sys.executable, "-m", "realtime.management.tied", me, "work", "--supervisor", me]


class WorkerKeeper(threading.Thread):
    """Starts `command` in `folder`, and again with growing pauses when it ends unasked.

    The kernel ties the worker to the thread that made it, so this one lives as long as its worker.
    `begin_stop` and `hurry` may be called from a signal handler.
    """

    def __init__(self, command: Sequence[str], folder: Path, *, drain_s: float) -> None:
        super().__init__(name="realtime-worker-keeper", daemon=True)
        self._command = list(command)
        self._folder = folder
        self._drain_s = drain_s
        self._stopping = threading.Event()
        self._stop_by = 0.0
        self._starting = threading.Lock()  # a start and the look whether to start are one step
        self._process: subprocess.Popen[bytes] | None = None

    def run(self) -> None:
        # The terminal's Ctrl-C would end a worker that is still importing, with a traceback. The
        # mask is inherited.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        pause_s = MIN_PAUSE_S
        restarts = 0
        while (process := self._start_one(restarts)) is not None:
            began = time.monotonic()
            status = process.wait()
            if self._stopping.is_set():
                return
            if time.monotonic() - began >= LONG_LIFE_S:
                pause_s = MIN_PAUSE_S
                restarts = 0
            restarts += 1
            logger.warning(
                "worker died pid=%d status=%d again_in_s=%.0f", process.pid, status, pause_s
            )
            self._stopping.wait(pause_s)
            pause_s = min(MAX_PAUSE_S, pause_s * 2)

    def _start_one(self, restarts: int) -> subprocess.Popen[bytes] | None:
        # Only the new one can say that there was an old one: this process has no monitor.
        said = ["--restarts", str(restarts)] if restarts else []
        command = [*self._command, *said]
        with self._starting:
            if self._stopping.is_set():
                return None
            self._process = subprocess.Popen(command, cwd=self._folder)  # noqa: S603 - our own
            return self._process

    def begin_stop(self) -> None:
        """Tell the worker to drain. Does not wait."""
        if not self._stopping.is_set():
            self._stop_by = time.monotonic() + self._drain_s + WIND_UP_S
        self._stopping.set()
        self._signal(signal.SIGTERM)

    def hurry(self) -> None:
        """Tell it to hand everything back now. Does not wait."""
        self._signal(signal.SIGUSR1)

    def finish(self) -> None:
        """Stop it if need be, and wait for its end: the drain and 5 s at most."""
        with self._starting:
            self.begin_stop()  # again where it has begun: the worker may have been made since
            process = self._process
        if process is not None:
            try:
                process.wait(max(0.0, self._stop_by - time.monotonic()))
            except subprocess.TimeoutExpired:
                logger.error("worker did not stop in time pid=%d", process.pid)  # noqa: TRY400
                process.kill()
        if self.is_alive():
            self.join(1.0)

    def _signal(self, number: int) -> None:
        process = self._process
        if process is not None and process.returncode is None:
            process.send_signal(number)
