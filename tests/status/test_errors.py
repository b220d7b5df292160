"""Errors that are logged: counted by class, with samples, within bounds."""

import asyncio
import logging

import pytest

from realtime.components import Finding, State
from status.probes import errors as module
from status.probes.errors import MAX_CLASSES, MAX_RECORDS, ErrorLog, error_log, errors


def logged(log: ErrorLog, error: Exception | None, text: str = "it failed") -> None:
    info = None if error is None else (type(error), error, None)
    log.handle(logging.LogRecord("a.logger", logging.ERROR, "", 0, text, (), info))


def test_errors_are_counted_by_class() -> None:
    """Those without an exception by their logger; what is longer than a minute ago is forgotten."""
    log = ErrorLog()
    for number in range(3):
        logged(log, ValueError(), f"no good {number}")
    logged(log, None)
    assert log.recent() == {
        "builtins.ValueError": ["no good 0", "no good 1", "no good 2"],
        "a.logger": ["it failed"],
    }


def test_answers_that_a_part_is_away_are_no_errors() -> None:
    """An outage of the database was two alerts: its own, and one of all the answers of 503."""
    log = ErrorLog()
    for status in (500, 503):
        record = logging.LogRecord("django.request", logging.ERROR, "", 0, "no", (), None)
        record.status_code = status
        log.handle(record)
    assert log.recent() == {"django.request": ["no"]}


def test_what_is_long_ago_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """A minute later there is nothing."""
    log = ErrorLog()
    logged(log, ValueError())
    monkeypatch.setattr(module, "WINDOW_S", 0.0)
    assert log.recent() == {}


def test_a_storm_takes_no_memory() -> None:
    """Records, classes and texts are bounded; a text that cannot be made is none."""
    log = ErrorLog()
    for number in range(MAX_RECORDS + 10):
        kind = type(f"E{number % 100}", (Exception,), {})
        logged(log, kind(), "a" * 10_000)
    found = log.recent()
    assert len(found) == MAX_CLASSES
    assert len(log._records) == MAX_RECORDS
    assert max(len(text) for texts in found.values() for text in texts) <= 200
    log.handle(logging.LogRecord("x", logging.ERROR, "", 0, "%d", ("no number",), None))


def test_what_is_logged_in_this_process_is_found() -> None:
    """Through the root logger, from any logger; ten a minute are too many."""
    look = errors(None)
    for _ in range(10):
        try:
            raise LookupError("nothing there")
        except LookupError:
            logging.getLogger("some.module").exception("looked in vain")

    async def looked() -> Finding | None:
        return await look()

    finding = asyncio.run(looked())
    assert finding is not None
    assert finding.state is State.DEGRADED
    assert finding.detail["builtins.LookupError"]["per_minute"] == 10
    assert finding.detail["builtins.LookupError"]["samples"] == ["looked in vain"] * 3
    logging.getLogger().removeHandler(error_log())
    module._log = None
