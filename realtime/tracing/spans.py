"""Causes and the spans around them, as OpenTelemetry's where REALTIME_OTEL is on.

OpenTelemetry is imported by the first span and never without REALTIME_OTEL: it is an extra.
"""

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from importlib.util import find_spec
from typing import TYPE_CHECKING

from realtime.conf import options
from realtime.tracing.correlation import (
    Correlation,
    correlated,
    new_id,
    present,
    well_formed_parent,
)

if TYPE_CHECKING:
    from realtime.tracing.otel import OtelSpans

INSTALL = "pip install -r requirements-otel.txt"

logger = logging.getLogger(__name__)

_NOTHING = nullcontext()
_off: bool | None = None  # None: not looked yet
_spans: "OtelSpans | None" = None


def spans() -> "OtelSpans | None":
    """Those of this process, begun by the first call; None where they are off."""
    global _off, _spans
    if _off is None:
        _off = not options().realtime_otel or missing()
        if not _off:
            from realtime.tracing.otel import OtelSpans

            _spans = OtelSpans.from_environment()
            _off = _spans is None
    return _spans


def use_spans(given: "OtelSpans | None") -> None:
    """Of a program that has set OpenTelemetry up itself; None turns them off."""
    global _off, _spans
    _spans, _off = given, given is None


def missing() -> bool:
    """Whether the extra is not installed."""
    try:
        return find_spec("opentelemetry.sdk.trace") is None
    except ModuleNotFoundError:
        return True


def say_what_is_missing() -> None:
    """One line at the start of a program whose spans were asked for and cannot be made."""
    if options().realtime_otel and missing():
        logger.warning("REALTIME_OTEL is on and OpenTelemetry is missing, no spans: %s", INSTALL)


@contextmanager
def causing(
    name: str | Callable[[], str],
    given: str | None = None,
    *,
    made: str | None = None,
    parent: str | None = None,
    attributes: Mapping[str, str | int | None] | None = None,
) -> Iterator[Correlation]:
    """Act for a cause inside: a request, a command, a job.

    given: its id where somebody else named it; else it is the trace's where there is one, else
    `made`, else a new one. parent: a `traceparent`, ignored where it is none.
    """
    found = spans()
    if found is None:
        # Passed on all the same: who comes later may make spans.
        cause = Correlation(given or made or new_id(), well_formed_parent(parent))
        with correlated(cause):
            yield cause
        return
    title = name if isinstance(name, str) else name()
    with found.around(title, well_formed_parent(parent), attributes or {}) as span:
        cause = Correlation(given or span.trace_id or made or new_id(), span.traceparent)
        span.tell("correlation", cause.id)
        with correlated(cause):
            yield cause


def span(name: str) -> AbstractContextManager[None]:
    """A step of what the present cause does; nothing without a cause or without spans."""
    found = spans()
    cause = present()
    if found is None or cause is None or cause.parent is None:
        return _NOTHING
    return _step(found, name, cause)


@contextmanager
def _step(found: "OtelSpans", name: str, cause: Correlation) -> Iterator[None]:
    with (
        found.around(name, cause.parent, {}) as step,
        correlated(Correlation(cause.id, step.traceparent)),
    ):
        yield
