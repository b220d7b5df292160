"""Errors that were logged, by class: what happens again and again is one story, with samples."""

import logging
import threading
import time
from collections import deque
from http import HTTPStatus

from realtime.components import Component, Finding, Look, Measure, Merge, Scope, State

WINDOW_S = 60.0
MAX_RECORDS = 2_000  # of the window; a storm beyond it is a storm all the same
MAX_CLASSES = 30
MAX_SAMPLES = 3
SAMPLE_CHARS = 200
OFTEN = 10


class ErrorLog(logging.Handler):
    """What was logged as an error within the last minute. Called in any thread.

    Django logs every answer of 503. That some part is away is the part's own story.
    """

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self._records: deque[tuple[float, str, str]] = deque(maxlen=MAX_RECORDS)
        self._turn = threading.Lock()

    def emit(self, record: logging.LogRecord) -> None:
        kind = record.exc_info[0] if record.exc_info else None
        if kind is None and getattr(record, "status_code", None) == HTTPStatus.SERVICE_UNAVAILABLE:
            return
        name = f"{kind.__module__}.{kind.__qualname__}" if kind is not None else record.name
        try:
            text = record.getMessage()[:SAMPLE_CHARS]
        except (TypeError, ValueError):
            text = str(record.msg)[:SAMPLE_CHARS]
        with self._turn:
            self._records.append((time.monotonic(), name[:SAMPLE_CHARS], text))

    def recent(self) -> dict[str, list[str]]:
        """The texts of the last minute by class, those with the most first."""
        limit = time.monotonic() - WINDOW_S
        found: dict[str, list[str]] = {}
        with self._turn:
            while self._records and self._records[0][0] < limit:
                self._records.popleft()
            for _, name, text in self._records:
                found.setdefault(name, []).append(text)
        return dict(sorted(found.items(), key=lambda one: -len(one[1]))[:MAX_CLASSES])


_log: ErrorLog | None = None


def error_log() -> ErrorLog:
    """That of this process, listening since the first call."""
    global _log
    if _log is None:
        _log = ErrorLog()
        logging.getLogger().addHandler(_log)
    return _log


def errors(node: object) -> Look:
    log = error_log()

    async def look() -> Finding:
        found = log.recent()
        most = max(map(len, found.values()), default=0)
        values = {"per_minute": float(sum(map(len, found.values())))}
        detail = {
            name: {"per_minute": len(texts), "samples": texts[-MAX_SAMPLES:]}
            for name, texts in found.items()
        }
        if most >= OFTEN:
            name = next(iter(found))
            return Finding(State.DEGRADED, f"{name}, {most} times a minute", values, detail)
        return Finding(State.OK, "", values, detail)

    return look


COMPONENT = Component(
    name="errors",
    label="Errors",
    scope=Scope.PROCESS,
    every_s=2.0,
    limit_s=1.0,
    meaning={
        State.DEGRADED: "the same class of errors was logged 10 times within a minute",
        State.DOWN: "never",
    },
    measures=(Measure("per_minute", "", "errors logged within the last minute", Merge.SUM),),
    probe=errors,
)
