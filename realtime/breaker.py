"""A circuit breaker: stop asking a part that does not answer, and find out when it does again.

    closed ──failures──> open ──after a jittered wait──> half-open ──success──> closed
                          ^                                  │
                          └──────────── failure ─────────────┘

Half-open lets exactly one call through, whoever comes first; the others are refused as when open.
What a call says that was let through in an earlier state is no news, and is not heard.
Each opening in a row waits twice as long, with full jitter above a floor, so that many processes do
not probe together. Usable from any thread and from any event loop; it never waits itself.
The pattern is M. Nygard's (Release It!, 2007).
"""

import random
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from enum import StrEnum
from weakref import WeakValueDictionary

from realtime.protocol.errors import Unavailable


class BreakerState(StrEnum):
    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class BreakerOpen(Unavailable):
    """The call was not made; `retry_after_ms` says when the next probe is due."""


@dataclass(frozen=True, slots=True)
class Trial:
    """How often an open breaker let a call through since it opened; `ended_at` when one was
    answered, None while none was. By the breaker's clock."""

    tries: int
    began_at: float
    ended_at: float | None


Clock = Callable[[], float]
_breakers: WeakValueDictionary[str, "CircuitBreaker"] = WeakValueDictionary()
HISTORY = 20  # changes of state kept for status
MAX_DOUBLINGS = 30  # of the wait; a float overflows at 1024, which an outage of a day reaches


class CircuitBreaker:
    """`failures` in a row open it; it stays open from `wait_s` to `max_wait_s`, growing.

    `part` is the component that it stands before, "" where that is none of its own; `trial` the
    newest attempt to get it back, None where it never was away.
    """

    def __init__(
        self,
        name: str,
        *,
        part: str = "",
        failures: int = 3,
        wait_s: float = 1.0,
        max_wait_s: float = 30.0,
        clock: Clock = time.monotonic,
    ) -> None:
        self.name = name
        self.part = part
        self.trial: Trial | None = None
        self.changes: deque[tuple[float, BreakerState]] = deque(maxlen=HISTORY)
        self._limit = failures
        self._wait_s = wait_s
        self._max_wait_s = max_wait_s
        self._clock = clock
        self._lock = threading.Lock()
        self._state = BreakerState.CLOSED
        self._failures = 0
        self._openings = 0
        self._probe_at = 0.0
        self._period = 0  # counts changes of state
        _breakers[name] = self

    @property
    def state(self) -> BreakerState:
        return self._state

    def ago_s(self, at: float) -> float:
        """Seconds since a moment of the breaker's clock."""
        return self._clock() - at

    @contextmanager
    def guarding(self, *failing: type[BaseException]) -> Iterator[None]:
        """Make one call inside. Raises BreakerOpen instead of making it.

        An exception of one of the types `failing` counts as a failure of the part; any other, and
        a return, as an answer. A cancelled call says nothing: a cancelled probe frees its place.
        The call must have a limit of its own: a probe that never ends keeps its place.
        """
        period = self._admit()
        try:
            yield
        except failing:
            self._failed(period)
            raise
        except Exception:
            self._answered(period)
            raise
        except BaseException:
            self._unknown(period)
            raise
        else:
            self._answered(period)

    def admit(self) -> int:
        """As `guarding`, for a call that ends elsewhere: `settle` must be told of its end, with
        what this returns. Raises BreakerOpen."""
        return self._admit()

    def settle(self, period: int, *, failed: bool) -> None:
        """How a call ended that was admitted."""
        if failed:
            self._failed(period)
        else:
            self._answered(period)

    def _admit(self) -> int:
        """The period that the call belongs to. Raises BreakerOpen."""
        with self._lock:
            if self._state is BreakerState.CLOSED:
                return self._period
            left_s = self._probe_at - self._clock()
            if self._state is BreakerState.OPEN and left_s <= 0:
                self._change(BreakerState.HALF_OPEN)
                return self._period
            raise BreakerOpen(
                f"expected {self.name} to answer, got a part that is not asked at present",
                retry_after_ms=max(1, round(max(left_s, self._wait_s / 10) * 1000)),
            )

    def _failed(self, period: int) -> None:
        with self._lock:
            if period != self._period:
                return
            self._failures += 1
            if self._state is BreakerState.HALF_OPEN or self._failures >= self._limit:
                doublings = min(self._openings, MAX_DOUBLINGS)
                wait_s = min(self._max_wait_s, self._wait_s * 2**doublings)
                self._openings += 1
                self._probe_at = self._clock() + random.uniform(wait_s / 2, wait_s)
                self._change(BreakerState.OPEN)

    def _answered(self, period: int) -> None:
        with self._lock:
            if period != self._period:
                return
            self._failures = self._openings = 0
            self._change(BreakerState.CLOSED)

    def _unknown(self, period: int) -> None:
        with self._lock:
            if period == self._period and self._state is BreakerState.HALF_OPEN:
                self._change(BreakerState.OPEN)  # its time is over already: the next call probes

    def _change(self, state: BreakerState) -> None:
        if state is not self._state:
            self.trial = _tried(self.trial, self._state, state, self._clock())
            self._state = state
            self._period += 1
            self.changes.append((self._clock(), state))


def _tried(
    trial: Trial | None, before: BreakerState, after: BreakerState, at: float
) -> Trial | None:
    if before is BreakerState.CLOSED or trial is None:
        return Trial(0, at, None)
    if after is BreakerState.HALF_OPEN:
        return replace(trial, tries=trial.tries + 1)
    return replace(trial, ended_at=at) if after is BreakerState.CLOSED else trial


def breakers() -> Mapping[str, CircuitBreaker]:
    """Every breaker that the process holds, by name, for status."""
    return dict(_breakers)
