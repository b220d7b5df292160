"""A bounded pool of threads in which whoever worked last works next.

The standard library's pool wakes its threads in turn. A thread here keeps its database connection,
so in turn each call would find another one, whose cached pages are outdated by what the others
wrote meanwhile.
"""

import asyncio
import atexit
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor, Future
from functools import partial
from queue import SimpleQueue
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")
Tell = Callable[[], None]  # whoever waits for a call
Work = Callable[[], Tell]  # makes the call

ENDS_WITHIN_S = 60.0


class _Thread:
    """Starts with its first work."""

    __slots__ = ("started", "work")

    def __init__(self) -> None:
        self.started = False
        self.work: SimpleQueue[Work] = SimpleQueue()


class RecentFirst(Executor):
    """At most `limit` calls run at a time; further ones wait, first come first served.

    A call that is cancelled before it began is not made. The interpreter waits at its end for all
    that were asked for, a minute at most.
    """

    def __init__(self, limit: int, name: str) -> None:
        self._name = name
        self._limit = limit
        self._idle = [_Thread() for _ in range(limit)]
        self._waiting: deque[Work] = deque()
        self._turn = threading.Condition(threading.Lock())  # of both
        atexit.register(self._finish)

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        future: Future[T] = Future()
        self._give(partial(_made, future, partial(fn, *args, **kwargs)))
        return future

    def call(self, function: Callable[[], T]) -> "asyncio.Future[T]":
        """As `submit`, for the running loop: one future and one wake-up of the loop for the answer,
        where a future of threads that another one waits for takes two of each."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        self._give(partial(_answered, loop, future, function))
        return future

    def _give(self, work: Work) -> None:
        """Raises RuntimeError where the system starts no more threads; nothing waits then."""
        with self._turn:
            if not self._idle:
                self._waiting.append(work)
                return
            thread = self._idle.pop()
        if not thread.started:
            self._start(thread)
        thread.work.put(work)

    def _start(self, thread: _Thread) -> None:
        try:
            threading.Thread(
                target=self._serve, args=(thread,), name=self._name, daemon=True
            ).start()
        except BaseException:
            with self._turn:
                self._idle.append(thread)
            raise
        thread.started = True

    def _serve(self, thread: _Thread) -> None:
        """In `thread`, as long as the process lives."""
        while True:
            work: Work | None = thread.work.get()
            while work is not None:
                tell = work()
                # First: whoever hears of the result and calls again is to find this thread.
                work = self._next(thread)
                tell()
                del tell  # the result is not kept until the next call

    def _next(self, thread: _Thread) -> Work | None:
        with self._turn:
            if self._waiting:
                return self._waiting.popleft()
            self._idle.append(thread)
            if len(self._idle) == self._limit:
                self._turn.notify_all()
            return None

    def _finish(self) -> None:
        with self._turn:
            self._turn.wait_for(lambda: len(self._idle) == self._limit, ENDS_WITHIN_S)


def _nobody_waits() -> None:
    pass


def _made(future: Future[Any], call: Callable[[], Any]) -> Tell:
    """Make the call; what is returned tells whoever waits for it."""
    if not future.set_running_or_notify_cancel():
        return _nobody_waits
    try:
        return partial(future.set_result, call())
    except BaseException as error:  # noqa: BLE001 - whoever waits for the future gets it
        return partial(future.set_exception, error)


def _answered(
    loop: asyncio.AbstractEventLoop, future: "asyncio.Future[Any]", call: Callable[[], Any]
) -> Tell:
    """As `_made`, for a future of that loop."""
    if future.done():  # cancelled, or answered otherwise
        return _nobody_waits
    try:
        return partial(_tell, loop, future, call(), None)
    except BaseException as error:  # noqa: BLE001 - whoever waits for the future gets it
        return partial(_tell, loop, future, None, error)


def _tell(
    loop: asyncio.AbstractEventLoop,
    future: "asyncio.Future[Any]",
    result: object,
    error: BaseException | None,
) -> None:
    try:
        loop.call_soon_threadsafe(_settle, future, result, error)
    except RuntimeError:
        if not loop.is_closed():  # else nobody waits any more
            raise


def _settle(future: "asyncio.Future[Any]", result: object, error: BaseException | None) -> None:
    if future.done():
        return
    if error is None:
        future.set_result(result)
    else:
        future.set_exception(error)
