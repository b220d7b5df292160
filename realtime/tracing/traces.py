"""Which events are followed, and what is noted of them: in this process, from all its threads.

Who commits an event decides: up to 20 a second and process are marked, and hints carry the marks,
so that all processes follow the same ones. Off, as it is by default, each hook is one comparison.
"""

import os
import socket
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from realtime.conf import options
from realtime.log.entries import Entry
from realtime.tracing.correlation import carried, parsed
from realtime.tracing.recorder import Recorder, Step, kept_steps
from realtime.tracing.spans import spans

MARKED_PER_S = 20  # of events that a process commits, and likewise of those that it heals
MAX_MARKS = 1_000  # remembered at a time; the oldest are forgotten
MAX_HINTED = 256  # taken of one hint


class Mark(NamedTuple):
    """`carried`: the correlation. `how` the event came: local, hint or healed."""

    carried: str | None
    how: str


Marked = list[tuple[int, Mark]]  # by seq


class Traces:
    """`recorder` None: spans alone."""

    def __init__(
        self, recorder: Recorder | None, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.recorder = recorder
        self._clock = clock
        self._turn = threading.Lock()
        self._marks: dict[tuple[str, int], Mark] = {}
        self._second = -1
        self._left = 0

    # Of the process that commits

    def committed(self, stream: str, entries: Sequence[Entry]) -> None:
        """Directly after the commit, in its thread."""
        mark = Mark(carried(), "local")
        for entry in self._mark(stream, entries, mark):
            self._note(stream, entry.seq, "committed", type=entry.type)

    def hinted(self, stream: str, hint: Mapping[str, Any]) -> list[list[Any]]:
        """What a hint is to carry: `[seq, correlation]` of those of its entries that are marked."""
        entries = hint.get("entries", ())  # none in one of signals
        with self._turn:
            found = [(entry[0], self._marks.get((stream, entry[0]))) for entry in entries]
        return [[seq, mark.carried] for seq, mark in found if mark is not None]

    def published(self, stream: str, hinted: Iterable[Sequence[Any]], began: float) -> None:
        """The layer has taken the hint; `began`: when it was given it, by `time.time`."""
        now = time.time()
        for seq, given in hinted:
            self._note(stream, seq, "published", took_ms=_ms(now - began))
            self._span("publish", given, began, now, stream=stream, seq=seq)

    # Of a node

    def heard(self, stream: str, hinted: Sequence[Sequence[Any]]) -> None:
        with self._turn:
            for seq, given in hinted[:MAX_HINTED]:
                if (stream, seq) not in self._marks:
                    self._remember((stream, seq), Mark(given, "hint"))

    def healed(self, stream: str, entries: Sequence[Entry]) -> None:
        """No hint came for these, so nobody knows whether they are marked."""
        self._mark(stream, entries, Mark(None, "healed"))

    def received(self, stream: str, entries: Sequence[Entry]) -> Marked:
        """Those of the entries that are marked; they are about to be handed out."""
        with self._turn:
            found = [(entry.seq, self._marks.get((stream, entry.seq))) for entry in entries]
        marked = [(seq, mark) for seq, mark in found if mark is not None]
        for seq, mark in marked:
            self._note(stream, seq, "received", how=mark.how)
        return marked

    def handed_out(
        self, stream: str, seq: int, mark: Mark, *, began: float, at_once: int, behind: int
    ) -> None:
        """To `at_once` readers, since `began`; `behind` more are caught up from the log."""
        now = time.time()
        counts = {"at_once": at_once, "behind": behind}
        self._note(stream, seq, "handed_out", first=began, last=now, **counts)
        self._span("fan-out", mark.carried, began, now, stream=stream, seq=seq, **counts)

    # Within

    def _mark(self, stream: str, entries: Sequence[Entry], mark: Mark) -> list[Entry]:
        with self._turn:
            second = int(self._clock())
            if second != self._second:
                self._second, self._left = second, MARKED_PER_S
            new = [one for one in entries if (stream, one.seq) not in self._marks][: self._left]
            self._left -= len(new)
            for entry in new:
                self._remember((stream, entry.seq), mark)
        return new

    def _remember(self, key: tuple[str, int], mark: Mark) -> None:
        while len(self._marks) >= MAX_MARKS:
            del self._marks[next(iter(self._marks))]
        self._marks[key] = mark

    def _note(self, stream: str, seq: int, kind: str, **detail: Any) -> None:
        if self.recorder is not None:
            self.recorder.put_nowait(stream, seq, Step(kind, time.time(), place(), detail))

    def _span(
        self, name: str, given: str | None, began: float, ended: float, **attributes: Any
    ) -> None:
        found, cause = spans(), parsed(given)
        if found is not None and cause is not None:
            attributes = {"correlation": cause.id, "where": place(), **attributes}
            found.note(name, cause.parent, began, ended, attributes)


def place() -> str:
    """This process, as steps name it: the node's id, or host and process where it is no node."""
    from realtime.node import process_node  # late: nodes are made of what calls this

    node = process_node()
    return f"{socket.gethostname()[:28]}.{os.getpid()}" if node is None else node.id


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 3)


_off: bool | None = None  # None: not looked yet
_traces: Traces | None = None


def traces() -> Traces | None:
    """Those of this process; None where nothing is followed."""
    if _off is None:
        _look()
    return _traces


def note_heard(stream: str, hinted: Sequence[Sequence[Any]]) -> None:
    """What a hint marks, where anything is followed here."""
    if (found := traces()) is not None:
        found.heard(stream, hinted)


def _look() -> None:
    kept = kept_steps() if options().realtime_trace else None
    wanted = kept is not None or spans() is not None
    use_traces(Traces(Recorder(kept) if kept is not None else None) if wanted else None)


def use_traces(given: Traces | None) -> None:
    """For tests."""
    global _off, _traces
    _traces, _off = given, given is None


def _after_fork() -> None:
    """A forked worker has no thread of its parent's."""
    global _off, _traces
    _traces, _off = None, None


os.register_at_fork(after_in_child=_after_fork)
