"""Processes for CPU work of jobs, made when the first job asks.

Not in `realtime.jobs`: a new process imports this module before it has Django set up.
"""

import multiprocessing
import os
import signal
from concurrent.futures import Executor, ProcessPoolExecutor

from realtime.embedded.lifetime import die_with_parent


class Processes:
    """One pool per worker, replaced when one of its processes dies."""

    def __init__(self) -> None:
        self._pool: ProcessPoolExecutor | None = None

    def executor(self) -> Executor:
        if self._pool is not None and self._pool._broken:  # noqa: SLF001 - nothing public tells
            self._pool = None
        if self._pool is None:
            # Spawned: a fork would copy threads' locks and the database's connections.
            self._pool = ProcessPoolExecutor(
                max_workers=os.cpu_count() or 1,
                mp_context=multiprocessing.get_context("spawn"),
                initializer=_prepare,
                initargs=(os.getpid(),),
            )
        return self._pool

    def close(self) -> None:
        """At once: what still computes there belongs to nobody."""
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)
            for process in multiprocessing.active_children():
                process.kill()


def _prepare(parent: int) -> None:
    """Ctrl-C is for the worker, which ends this process itself."""
    import django

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    die_with_parent(parent)
    # What is run here may live in any module of an app.
    django.setup()
