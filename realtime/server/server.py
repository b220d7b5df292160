"""One serving process: uvicorn's server with a stop that loses nobody.

On the first signal: readiness off, listeners closed, every client told and closed within the
window, then uvicorn's own shutdown. A second signal hurries. Must not import what it drains
before it drains: a supervisor that serves nothing imports this too.
"""

import asyncio
import contextlib
import faulthandler
import logging
import signal
import threading
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass
from socket import socket
from types import FrameType
from typing import Any, TypeAlias

from uvicorn import Config, Server

from realtime.server.parting import parting
from realtime.server.state import readiness

logger = logging.getLogger(__name__)

Drain: TypeAlias = Callable[[float], Coroutine[Any, Any, None]]

# What a stop may take beyond its window: sockets whose clients do not answer the close (2 s), then
# requests in flight, then the lifespan's end.
STOP_WITHIN_S = 5.0
_DRAIN_SLACK_S = 2.5  # a drain that overruns its window by more is given up
_LIFESPAN_S = 1.0
_HURRIED_TASKS_S = 1
# Probes on kept connections see 503 for so long at least, the window permitting.
_READINESS_VISIBLE_S = 1.0
_LOOK_EVERY_S = 0.05
_TICK_S = 1.0
# Where the stop itself is stuck, as in a driver's thread, the process ends so long after it.
STOP_SLACK_S = 30.0


@dataclass(frozen=True, slots=True)
class Plan:
    """What a serving process is made from. Pickled to reach workers: its callables are named ones.

    `drain` defaults to the sockets' own; `prepare` runs in each worker before it serves, and must
    not wait: the supervisor takes a worker that is silent for long to be hung.
    """

    config: Config
    drain_window_s: float = 10.0
    drain: Drain | None = None
    prepare: Callable[[], None] | None = None


class DrainingServer(Server):
    """A uvicorn server that drains.

    Signals: SIGTERM, SIGINT and SIGHUP (a closed terminal) stop it, a second one hurries. When
    `supervised`, SIGTERM stops, however often it comes (service managers signal the whole group
    and so does a terminal, beside the supervisor), and only SIGUSR1, the supervisor's, hurries.
    """

    def __init__(
        self,
        plan: Plan,
        *,
        on_ready: Callable[[], None] | None = None,
        on_stop: Callable[[], None] | None = None,
        on_hurry: Callable[[], None] | None = None,
        supervised: bool = False,
    ) -> None:
        super().__init__(plan.config)
        self._plan = plan
        self._on_ready = on_ready
        self._on_stop = on_stop
        self._on_hurry = on_hurry
        self._supervised = supervised
        self._hurry = asyncio.Event()
        self._woken = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None

    async def startup(self, sockets: list[socket] | None = None) -> None:
        """Start as uvicorn does, then say so."""
        self._loop = asyncio.get_running_loop()
        self.config.loaded_app = parting(self.config.loaded_app)
        await super().startup(sockets)
        if self._on_ready is not None and not self.should_exit:
            self._on_ready()

    async def main_loop(self) -> None:
        """Serve until the stop. uvicorn's own looks ten times a second whether one was asked for;
        here a signal says so, and each second only the date in responses moves on."""
        while not await self.on_tick(0):
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_TICK_S):
                    await self._woken.wait()

    async def shutdown(self, sockets: list[socket] | None = None) -> None:
        """Drain, then stop as uvicorn does; 5 s after the window at the latest."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        readiness.accepting = False  # as `handle_exit` has, unless uvicorn itself chose to stop
        # Before anybody is told to reconnect: they must not come back to this process.
        for server in self.servers:
            server.close()
        for listener in sockets or []:
            listener.close()
        await self._drain()
        await self._stay_visible(began + min(_READINESS_VISIBLE_S, self._plan.drain_window_s))
        left_s = began + self._plan.drain_window_s + STOP_WITHIN_S - _LIFESPAN_S - loop.time()
        self.config.timeout_graceful_shutdown = self._tasks_timeout_s(left_s)
        await super().shutdown(sockets)

    def _tasks_timeout_s(self, left_s: float) -> int:
        """For requests in flight: a whole number, as uvicorn wants it."""
        if self._hurry.is_set():
            return _HURRIED_TASKS_S
        configured = self.config.timeout_graceful_shutdown
        return max(1, int(left_s if configured is None else min(left_s, configured)))

    async def _stay_visible(self, until: float) -> None:
        """Where the drain had little to do: wait while there are connections, unless hurried."""
        loop = asyncio.get_running_loop()
        while self.server_state.connections and loop.time() < until and not self._hurry.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_LOOK_EVERY_S):
                    await self._hurry.wait()

    async def _drain(self) -> None:
        drain = self._plan.drain or _drain_sockets
        window_s = self._plan.drain_window_s
        draining = asyncio.create_task(drain(0.0 if self._hurry.is_set() else window_s))
        hurrying = asyncio.create_task(self._hurry.wait())
        await asyncio.wait(
            {draining, hurrying},
            timeout=window_s + _DRAIN_SLACK_S,
            return_when=asyncio.FIRST_COMPLETED,
        )
        hurrying.cancel()
        if self._hurry.is_set() and not draining.done():
            draining.cancel()
            await asyncio.wait({draining}, timeout=_DRAIN_SLACK_S)
            draining = asyncio.create_task(drain(0.0))
            await asyncio.wait({draining}, timeout=_DRAIN_SLACK_S)
        if not draining.done():
            draining.cancel()
            logger.error("drain overran window_s=%.1f", window_s)
        elif not draining.cancelled() and (error := draining.exception()) is not None:
            logger.error("drain failed", exc_info=error)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin the stop; hurry it when it has begun."""
        del frame
        if not self.should_exit:
            self.should_exit = True
            readiness.accepting = False  # at once: the listener closes at the loop's next look
            if self._loop is not None:
                self._loop.call_soon_threadsafe(self._woken.set)
            if self._on_stop is not None:
                self._on_stop()
        elif (not self._supervised or sig == signal.SIGUSR1) and self._loop is not None:
            self._loop.call_soon_threadsafe(self._hurry.set)
            if self._on_hurry is not None:
                self._on_hurry()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Handle signals while serving.

        Unlike uvicorn's, it does not raise the captured signal again at the end: that would skip
        `finally` blocks and exit handlers, and a planned stop is a success, not a death by signal.
        """
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        handled = [signal.SIGTERM, signal.SIGUSR1 if self._supervised else signal.SIGINT]
        ignored = [signal.SIGINT, signal.SIGHUP] if self._supervised else []
        if not self._supervised and signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
            handled.append(signal.SIGHUP)  # unless nohup asked for it to be ignored
        previous = {number: signal.signal(number, self.handle_exit) for number in handled}
        previous |= {number: signal.signal(number, signal.SIG_IGN) for number in ignored}
        try:
            yield
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)


async def _drain_sockets(window_s: float) -> None:
    from realtime.sockets.drain import drain  # late: only a process that serves has Django set up

    await drain(window_s)


def bound_stop(window_s: float) -> None:
    """End this process, with a traceback of what held it, when its stop takes far too long.

    For processes that exit after serving: threads that hang in a driver would be joined for ever.
    """
    faulthandler.dump_traceback_later(window_s + STOP_SLACK_S, exit=True)
