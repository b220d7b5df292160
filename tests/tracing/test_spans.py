"""Spans by OpenTelemetry's own SDK, into its exporter for tests; and what happens without it."""

import logging
import sys
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from realtime.jobs.context import JobContext
from realtime.jobs.running import Claim
from realtime.log.entries import Entry
from realtime.models import Job
from realtime.retrying import retried
from realtime.sockets.commands import commanded
from realtime.tracing import spans
from realtime.tracing.correlation import carried, present, present_id
from realtime.tracing.otel import OtelSpans
from realtime.tracing.spans import causing, say_what_is_missing, use_spans
from realtime.tracing.traces import Traces

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = f"00-{TRACE}-b7ad6b7169203331-01"

Spans = Callable[[], dict[str, ReadableSpan]]


@pytest.fixture
def finished() -> Spans:
    """The spans that have ended, by name."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    use_spans(OtelSpans(provider))
    return lambda: {span.name: span for span in exporter.get_finished_spans()}


def trace_of(span: ReadableSpan) -> str:
    assert span.context is not None
    return f"{span.context.trace_id:032x}"


def is_child(span: ReadableSpan, of: ReadableSpan) -> bool:
    assert span.parent is not None
    assert of.context is not None
    parent, context = span.parent, of.context
    return (parent.trace_id, parent.span_id) == (context.trace_id, context.span_id)


def test_request_goes_on_with_the_callers_trace(finished: Spans, client: Client) -> None:
    """W3C's `traceparent`; the answer's id is the trace's."""
    answer = client.get("/livez", headers={"traceparent": PARENT})
    span = finished()["HTTP GET"]
    assert trace_of(span) == TRACE == answer["X-Request-ID"]
    assert span.parent is not None
    assert f"{span.parent.span_id:016x}" == "b7ad6b7169203331"
    assert dict(span.attributes or {}) == {
        "http.request.method": "GET",
        "url.path": "/livez",
        "correlation": TRACE,
    }


def test_id_that_the_caller_names_wins(finished: Spans, client: Client) -> None:
    """It is what they will look for; the spans bear it."""
    answer = client.get("/livez", headers={"traceparent": PARENT, "X-Request-ID": "mine-1"})
    assert answer["X-Request-ID"] == "mine-1"
    span = finished()["HTTP GET"]
    assert (span.attributes or {})["correlation"] == "mine-1"
    assert trace_of(span) == TRACE


@pytest.mark.parametrize("given", ["00-zz-1-01", f"01-{TRACE}-b7ad6b7169203331-01", "x" * 500])
def test_malformed_traceparent_begins_a_trace(finished: Spans, client: Client, given: str) -> None:
    """And is no error."""
    assert client.get("/livez", headers={"traceparent": given}).status_code == 200
    span = finished()["HTTP GET"]
    assert span.parent is None
    assert trace_of(span) != TRACE


def test_action_publish_and_fan_out_belong_to_the_command(finished: Spans) -> None:
    """Over the hint to another node: what is carried says whose child it is."""

    @retried
    def act() -> None:
        traces.committed("project.1", [entry])

    entry = Entry(7, b"{}", "new_message", None, None)
    traces = Traces(None)
    with commanded("ab12", {"id": 3, "cmd": "ping"}):
        command = present_id()
        act()
    hinted = traces.hinted("project.1", {"entries": [list(entry)]})
    traces.published("project.1", hinted, 5.0)
    other = Traces(None)
    other.heard("project.1", hinted)
    [(seq, mark)] = other.received("project.1", [entry])
    other.handed_out("project.1", seq, mark, began=6.0, at_once=2, behind=0)

    found = finished()
    assert set(found) == {"command ping", "act", "publish", "fan-out"}
    assert is_child(found["act"], found["command ping"])
    assert is_child(found["publish"], found["act"])
    assert is_child(found["fan-out"], found["act"])
    assert trace_of(found["fan-out"]) == command
    assert found["publish"].start_time == 5_000_000_000
    assert (found["fan-out"].attributes or {})["at_once"] == 2


def test_command_that_nobody_knows_names_no_span(finished: Spans) -> None:
    """Clients choose the text: it would be as many names as there are clients."""
    for cmd in ("no such", ["ping"], None):
        with commanded("ab12", {"id": 3, "cmd": cmd}):
            pass
    assert set(finished()) == {"command unknown"}


@pytest.mark.django_db
def test_job_belongs_to_what_enqueued_it(finished: Spans) -> None:
    """By what its row carries."""
    with causing("command test"):
        row = Job(name="test", pk=5, attempt=1, correlation=carried())
    with Claim(row, context=_no_context()).for_its_cause():
        inside = present()
    found = finished()
    assert is_child(found["job test"], found["command test"])
    assert inside is not None
    assert inside.id == trace_of(found["command test"])


def _no_context() -> JobContext:
    """Of a claim that is never run."""
    nobody: Any = None
    return JobContext(5, 1, 1, nobody, nobody)


def test_failure_tells_its_class_and_no_text(finished: Spans) -> None:
    """Messages of errors may hold what people wrote."""
    with pytest.raises(ValueError, match="secret"), causing("command test"):
        raise ValueError("secret")
    span = finished()["command test"]
    assert (span.status.status_code, span.status.description) == (StatusCode.ERROR, "ValueError")
    assert not span.events


def test_without_spans_ids_are_made_all_the_same() -> None:
    """A command's is its connection's and its own; a caller's span is passed on to jobs."""
    with commanded("ab12", {"id": 3, "cmd": "ping"}):
        assert carried() == "ab12.3"
    with causing("HTTP GET", "mine", parent=PARENT):
        assert carried() == f"mine~{PARENT}"


def test_missing_package_is_said_in_one_line(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, settings: Any
) -> None:
    """With the command that brings it; nothing else changes."""
    settings.PM = settings.PM.model_copy(update={"realtime_otel": True})
    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    monkeypatch.delitem(sys.modules, "opentelemetry.sdk", raising=False)
    monkeypatch.delitem(sys.modules, "opentelemetry.sdk.trace", raising=False)
    monkeypatch.setattr(spans, "_off", None)
    with caplog.at_level(logging.WARNING):
        say_what_is_missing()
    [line] = caplog.messages
    assert line.endswith("pip install -r requirements-otel.txt")
    assert spans.spans() is None
    with causing("HTTP GET", made="made-1") as cause:
        assert cause.id == "made-1"
