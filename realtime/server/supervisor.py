"""Several serving processes behind one socket: started, watched, replaced, stopped together."""

import logging
import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property
from multiprocessing import resource_tracker
from multiprocessing.connection import wait
from types import FrameType
from typing import Protocol

from uvicorn.supervisors.multiprocess import Process

from realtime.embedded.lifetime import die_with_parent
from realtime.server.server import STOP_SLACK_S, DrainingServer, Plan, bound_stop

logger = logging.getLogger(__name__)

_TICK_S = 0.1
_HEALTH_INTERVAL_S = 5.0
_HEALTH_TIMEOUT_S = 10.0
_MIN_LIFE_S = 1.0


class Companion(Protocol):
    """What stops together with the serving processes. Neither call waits."""

    def begin_stop(self) -> None: ...

    def hurry(self) -> None: ...


class Nobody:
    """The companion of servers that have none."""

    def begin_stop(self) -> None:
        pass

    def hurry(self) -> None:
        pass


_NOBODY = Nobody()


class Worker(Process):
    """One serving process, in the eyes of the supervisor and, from `target` on, in its own."""

    def __init__(self, plan: Plan, sockets: list[socket.socket]) -> None:
        self.plan = plan
        self.parent = os.getpid()
        self.started_at = time.monotonic()
        self.ready = False
        super().__init__(plan.config, sockets)

    def start(self) -> None:
        """Start the process, deaf to Ctrl-C from its first instruction on."""
        # The terminal sends SIGINT to workers too, and one that is still importing would die of it
        # with a traceback. The mask is inherited; target() replaces it by ignoring the signal.
        # Making the first worker starts multiprocessing's tracker, which would unblock SIGINT.
        resource_tracker.ensure_running()
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            super().start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)

    def target(self, sockets: list[socket.socket] | None = None) -> None:
        """What the process runs."""
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
        # SIGKILL rather than a drain: nothing would be left to end a worker that hangs in it, and
        # clients resume from a killed worker without loss.
        die_with_parent(self.parent, signal.SIGKILL)
        if self.plan.prepare is not None:
            self.plan.prepare()
        super().target(sockets)

    @cached_property
    def server(self) -> DrainingServer:
        """The server that `target` runs; uvicorn asks for it by this name."""
        return DrainingServer(self.plan, supervised=True)

    def signal(self, number: int) -> None:
        """Send a signal, unless the process has ended."""
        if self.process.is_alive() and self.pid is not None:
            os.kill(self.pid, number)


class Supervisor:
    """Runs `plan.config.workers` workers until told to stop.

    Not a subclass of uvicorn's: that one names its stock process class throughout, leaves its own
    listening socket open while workers stop, and hears no second signal while it joins them.
    """

    def __init__(
        self,
        plan: Plan,
        sockets: list[socket.socket],
        on_ready: Callable[[], None] | None = None,
        companion: Companion = _NOBODY,
    ) -> None:
        self._plan = plan
        self._sockets = sockets
        self._on_ready = on_ready
        self._companion = companion
        self._workers: list[Worker] = []
        self._stops = 0
        self._announced = False
        self._health_due = 0.0

    def run(self) -> int:
        """Serve until a signal; the exit status: 0, or 1 when a worker failed before all served."""
        with self._signals():
            self._workers = [self._spawn() for _ in range(self._plan.config.workers)]
            status = 0
            while not self._stops and status == 0:
                status = self._watch()
            self._stop()
        return status

    def _spawn(self) -> Worker:
        worker = Worker(self._plan, self._sockets)
        worker.start()
        return worker

    def _watch(self) -> int:
        sentinels = [
            worker.process.sentinel for worker in self._workers if worker.process.is_alive()
        ]
        wait(sentinels, timeout=_TICK_S)
        now = time.monotonic()
        check_health = now >= self._health_due
        if check_health:
            self._health_due = now + _HEALTH_INTERVAL_S
        for index, worker in enumerate(self._workers):
            if not worker.process.is_alive():
                if self._stops:
                    break  # the terminal or the service manager told them, too
                if not self._announced:
                    logger.error(
                        "worker failed to start pid=%s status=%s", worker.pid, worker.exitcode
                    )
                    return 1
                self._replace(index)
            elif not worker.ready:
                worker.ready = worker.is_ready(timeout=1)
            elif check_health and not worker.ping(_HEALTH_TIMEOUT_S):
                logger.error("worker hangs pid=%s", worker.pid)
                worker.process.kill()
        self._announce()
        return 0

    def _replace(self, index: int) -> None:
        worker = self._workers[index]
        # At most one start a second: a worker that cannot start must not eat the machine.
        if time.monotonic() - worker.started_at >= _MIN_LIFE_S:
            logger.warning("worker died pid=%s status=%s", worker.pid, worker.exitcode)
            worker.kill()  # closes its pipe
            self._workers[index] = self._spawn()

    def _announce(self) -> None:
        if not self._announced and all(worker.ready for worker in self._workers):
            self._announced = True
            if self._on_ready is not None:
                self._on_ready()

    def _stop(self) -> None:
        # First ours: a listening socket that nobody accepts from would keep taking clients into
        # its backlog while the workers drain.
        for listener in self._sockets:
            listener.close()
        for worker in self._workers:
            worker.signal(signal.SIGTERM)
        self._companion.begin_stop()
        deadline = time.monotonic() + self._plan.drain_window_s + STOP_SLACK_S
        hurried = False
        while alive := [worker for worker in self._workers if worker.process.is_alive()]:
            wait([worker.process.sentinel for worker in alive], timeout=_TICK_S)
            if self._stops > 1 and not hurried:
                hurried = True
                for worker in alive:
                    worker.signal(signal.SIGUSR1)
                self._companion.hurry()
            if time.monotonic() > deadline:
                for worker in alive:
                    logger.error("worker did not stop in time pid=%s", worker.pid)
                    worker.process.kill()
        for worker in self._workers:
            worker.join()

    @contextmanager
    def _signals(self) -> Iterator[None]:
        handled = [signal.SIGTERM, signal.SIGINT]
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
            handled.append(signal.SIGHUP)  # unless nohup asked for it to be ignored
        previous = {number: signal.signal(number, self._handle) for number in handled}
        try:
            yield
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        self._stops += 1


def run(
    plan: Plan,
    listener: socket.socket,
    on_ready: Callable[[], None] | None = None,
    companion: Companion = _NOBODY,
) -> int:
    """Serve on `listener` in this process or in workers until a signal; returns the exit status.

    Call it from the main thread of a process that ends afterwards: from the first signal on, its
    whole end is bounded. `on_ready` is called once all processes serve, `companion` is told of a
    stop when it begins.
    """
    if plan.config.workers > 1:
        return Supervisor(plan, [listener], on_ready, companion).run()

    def on_stop() -> None:
        bound_stop(plan.drain_window_s)
        companion.begin_stop()

    server = DrainingServer(plan, on_ready=on_ready, on_stop=on_stop, on_hurry=companion.hurry)
    server.run([listener])
    return 0 if server.started else 1
