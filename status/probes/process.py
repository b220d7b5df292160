"""Each process itself: its CPU, its memory, and how late its event loop is."""

import asyncio
import os
import resource
import sys
import time
from pathlib import Path

from realtime.breaker import BreakerState, breakers
from realtime.components import Component, Finding, Look, Measure, Merge, Scope, State
from realtime.recoveries import recoveries
from status.alerts.recovering import CIRCUITS, TRIED, told

LATE_MS = 250.0
STANDSTILL_MS = 2000.0
BUSY_PERCENT = 90.0
TICK_S = 0.5
ENOUGH_S = 1.0  # of CPU time to say anything: a process that starts is busy

_STATM = Path("/proc/self/statm")


def cpu(node: object) -> Look:
    last = (time.monotonic(), time.process_time())

    async def look() -> Finding:
        nonlocal last
        now = (time.monotonic(), time.process_time())
        passed = now[0] - last[0]
        if passed < ENOUGH_S:
            return Finding(State.OK)
        percent = (now[1] - last[1]) / passed * 100
        last = now
        if percent >= BUSY_PERCENT:
            # One interpreter has one core's worth of Python, threads or not.
            return Finding(State.DEGRADED, f"{percent:.0f} % of a core", {"percent": percent})
        return Finding(State.OK, "", {"percent": percent})

    return look


def resident_bytes() -> float:
    """Now, on Linux; elsewhere the most that it ever was."""
    try:
        return float(int(_STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE"))
    except OSError:
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return float(most if sys.platform == "darwin" else most * 1024)


def memory(node: object) -> Look:
    async def look() -> Finding:
        return Finding(State.OK, "", {"resident_bytes": resident_bytes()})

    return look


class LoopLag:
    """How late a timer of the loop fires: everything else in it is as late."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._worst_s = 0.0
        self._due = 0.0
        self._tick()

    def _tick(self) -> None:
        now = self._loop.time()
        if self._due:
            self._worst_s = max(self._worst_s, now - self._due)
        self._due = now + TICK_S
        self._loop.call_later(TICK_S, self._tick)

    def take_ms(self) -> float:
        """The worst since the last call, the tick that is overdue included."""
        worst = max(self._worst_s, self._loop.time() - self._due, 0.0)
        self._worst_s = 0.0
        return worst * 1000


def event_loop(node: object) -> Look:
    lag = LoopLag()

    async def look() -> Finding:
        late_ms = lag.take_ms()
        values = {"lag_ms": late_ms}
        if late_ms >= STANDSTILL_MS:
            return Finding(State.DOWN, f"it stood still for {late_ms / 1000:.1f} s", values)
        if late_ms >= LATE_MS:
            return Finding(State.DEGRADED, f"it was {late_ms:.0f} ms late", values)
        return Finding(State.OK, "", values)

    return look


def circuits(node: object) -> Look:
    async def look() -> Finding:
        known = breakers()
        broken = sorted(name for name, one in known.items() if one.state is not BreakerState.CLOSED)
        values = {"open": float(len(broken))}
        tried = [told(one) for one in recoveries()]
        detail = {TRIED: tried} if tried else {}
        if broken:
            text = f"not asked at present: {', '.join(broken)}"
            return Finding(State.DEGRADED, text, values, detail)
        return Finding(State.OK, "", values, detail)

    return look


COMPONENTS = (
    Component(
        name=CIRCUITS,
        label="Circuit breakers",
        scope=Scope.PROCESS,
        every_s=2.0,
        limit_s=1.0,
        meaning={
            State.DEGRADED: "a process does not ask some part at present, because it failed often",
            State.DOWN: "never",
        },
        measures=(Measure("open", "", "breakers that are open or let one probe through"),),
        probe=circuits,
    ),
    Component(
        name="cpu",
        label="CPU",
        scope=Scope.PROCESS,
        every_s=5.0,
        limit_s=1.0,
        meaning={
            State.DEGRADED: "a process used 90 % of a core or more, over 5 s",
            State.DOWN: "never",
        },
        measures=(Measure("percent", "percent", "of one core, used by the process"),),
        probe=cpu,
    ),
    Component(
        name="memory",
        label="Memory",
        scope=Scope.PROCESS,
        every_s=5.0,
        limit_s=1.0,
        meaning={
            State.DEGRADED: "never: how much is too much is a rule's business",
            State.DOWN: "never",
        },
        measures=(Measure("resident_bytes", "bytes", "of the process", Merge.SUM),),
        probe=memory,
    ),
    Component(
        name="event_loop",
        label="Event loop",
        scope=Scope.PROCESS,
        every_s=5.0,
        limit_s=1.0,
        meaning={
            State.DEGRADED: "a timer fired 250 ms late",
            State.DOWN: "a timer fired 2 s late: everybody on the process waited as long",
        },
        measures=(Measure("lag_ms", "ms", "the latest of its timers since the last look"),),
        probe=event_loop,
    ),
)
