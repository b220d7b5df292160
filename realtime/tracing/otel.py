"""Spans by OpenTelemetry. The only module that imports it, and only where it is wanted.

Bodies and messages of errors stay out: a span says what, when, for which id and, of a failure, the
class.
"""

import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import entry_points
from typing import Self

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.trace import NonRecordingSpan, Span, SpanContext, Status, StatusCode, TraceFlags

logger = logging.getLogger(__name__)

Attributes = Mapping[str, str | int | None]


class Around:
    """A span that is open. `trace_id` and `traceparent` are None where the SDK is disabled."""

    def __init__(self, span: Span) -> None:
        self._span = span
        context = span.get_span_context()
        self.trace_id: str | None = None
        self.traceparent: str | None = None
        if context.is_valid:
            self.trace_id = f"{context.trace_id:032x}"
            flags = int(context.trace_flags)
            self.traceparent = f"00-{self.trace_id}-{context.span_id:016x}-{flags:02x}"

    def tell(self, name: str, value: str) -> None:
        self._span.set_attribute(name, value)


class OtelSpans:
    """Made of a provider: that of the environment, a program's own, or that of a test."""

    def __init__(self, provider: trace.TracerProvider) -> None:
        self._tracer = provider.get_tracer("realtime")

    @classmethod
    def from_environment(cls) -> Self | None:
        """By the variables of OpenTelemetry (OTEL_*), unless a provider is in force already; None,
        with one line, where its exporter is not installed."""
        present = trace.get_tracer_provider()
        if not isinstance(present, trace.ProxyTracerProvider):
            return cls(present)
        exporter = _exporter(os.environ.get("OTEL_TRACES_EXPORTER") or "otlp")
        if exporter is None:
            return None
        provider = TracerProvider()
        provider.add_span_processor(BatchSpanProcessor(exporter))
        trace.set_tracer_provider(provider)
        return cls(provider)

    @contextmanager
    def around(self, name: str, parent: str | None, attributes: Attributes) -> Iterator[Around]:
        """A span of what is done inside; `parent` None begins a trace."""
        span = self._tracer.start_span(
            name, context=_context(parent), attributes=_known(attributes)
        )
        with trace.use_span(
            span, end_on_exit=True, record_exception=False, set_status_on_exception=False
        ):
            try:
                yield Around(span)
            except Exception as error:
                span.set_status(Status(StatusCode.ERROR, type(error).__name__))
                raise

    def note(
        self, name: str, parent: str | None, began: float, ended: float, attributes: Attributes
    ) -> None:
        """A span of what is over, by the seconds of this machine's clock; none without parent."""
        if parent is None:
            return
        span = self._tracer.start_span(
            name,
            context=_context(parent),
            start_time=round(began * 1e9),
            attributes=_known(attributes),
        )
        span.end(round(max(began, ended) * 1e9))


def _known(attributes: Attributes) -> dict[str, str | int]:
    return {name: value for name, value in attributes.items() if value is not None}


def _context(traceparent: str | None) -> Context:
    """Never the one in force: of whom this is a part is said, not guessed."""
    if traceparent is None:
        return Context()
    _, trace_id, span_id, flags = traceparent.split("-")
    found = SpanContext(
        int(trace_id, 16), int(span_id, 16), is_remote=True, trace_flags=TraceFlags(int(flags, 16))
    )
    return trace.set_span_in_context(NonRecordingSpan(found), Context())


def _exporter(name: str) -> SpanExporter | None:
    """`console` comes with the SDK, `otlp` with a package of its own; `none` says so."""
    if name == "none":
        return None
    wanted = {"otlp": ("otlp", "otlp_proto_http", "otlp_proto_grpc")}.get(name, (name,))
    found = {one.name: one for one in entry_points(group="opentelemetry_traces_exporter")}
    for one in wanted:
        if one in found:
            exporter: SpanExporter = found[one].load()()
            return exporter
    logger.warning(
        "no spans: expected an installed exporter OTEL_TRACES_EXPORTER=%s, got %s; otlp comes by "
        "pip install opentelemetry-exporter-otlp-proto-http",
        name,
        ", ".join(sorted(found)) or "none",
    )
    return None
