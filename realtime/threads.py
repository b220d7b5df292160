"""A bounded pool of threads in which whoever worked last works next.

The standard library's pool wakes its threads in turn. A thread here keeps its database connection,
so in turn each call would find another one, whose cached pages are outdated by what the others
wrote meanwhile.
"""

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from functools import partial
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class RecentFirst(Executor):
    """At most `limit` calls run at a time; further ones wait, first come first served.

    A call that is cancelled before it began is not made. The interpreter waits at its end for all
    that were asked for, as with the standard pool.
    """

    def __init__(self, limit: int, name: str) -> None:
        self._name = name
        # Each starts its thread with its first call.
        self._idle = [ThreadPoolExecutor(1, name) for _ in range(limit)]
        self._waiting: deque[tuple[Future[Any], Callable[[], Any]]] = deque()
        self._turn = threading.Lock()  # of both

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        future: Future[T] = Future()
        with self._turn:
            self._waiting.append((future, partial(fn, *args, **kwargs)))
            thread = self._idle.pop() if self._idle else None
        if thread is not None:
            self._wake(thread, future)
        return future

    def _wake(self, thread: ThreadPoolExecutor, future: Future[Any]) -> None:
        """Raises RuntimeError where the system starts no more threads; nothing waits then."""
        try:
            thread.submit(self._work, thread)
        except BaseException:
            with self._turn:
                # Another one: this one kept what it could not begin.
                self._idle.append(ThreadPoolExecutor(1, self._name))
                kept = [one for one in self._waiting if one[0] is not future]
                self._waiting.clear()
                self._waiting.extend(kept)
            raise

    def _work(self, thread: ThreadPoolExecutor) -> None:
        """In `thread`, until nothing waits."""
        taken = self._next(thread)
        while taken is not None:
            tell = _made(*taken)
            # First: whoever hears of the result and calls again is to find this thread.
            taken = self._next(thread)
            tell()

    def _next(self, thread: ThreadPoolExecutor) -> tuple[Future[Any], Callable[[], Any]] | None:
        with self._turn:
            if self._waiting:
                return self._waiting.popleft()
            self._idle.append(thread)
            return None


def _made(future: Future[Any], call: Callable[[], Any]) -> Callable[[], None]:
    """Make the call; what is returned tells whoever waits for it."""
    if not future.set_running_or_notify_cancel():
        return _nobody_waits
    try:
        return partial(future.set_result, call())
    except BaseException as error:  # noqa: BLE001 - whoever waits for the future gets it
        return partial(future.set_exception, error)


def _nobody_waits() -> None:
    pass
