"""Log lines: the same keys as ever, the id of what caused them, and JSON where it is wanted."""

import io
import json
import logging
from collections.abc import Callable
from typing import Any

import pytest
import structlog

from realtime.tracing.correlation import Correlation, correlated
from realtime.tracing.logs import JsonFormatter, LineFormatter

Said = Callable[..., list[str]]


@pytest.fixture(params=[LineFormatter, JsonFormatter], ids=["line", "json"])
def formatter(request: pytest.FixtureRequest) -> logging.Formatter:
    found: logging.Formatter = request.param()
    return found


def written(formatter: logging.Formatter, *line: Any, **options: Any) -> str:
    """What a logger with this formatter writes for one line."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(formatter)
    logger = logging.getLogger("realtime.test")
    logger.addHandler(handler)
    try:
        logger.warning(*line, **options)
    finally:
        logger.removeHandler(handler)
    return stream.getvalue()


def told(*line: Any, **options: Any) -> dict[str, Any]:
    """The same as JSON, without what every line has."""
    found: dict[str, Any] = json.loads(written(JsonFormatter(), *line, **options))
    assert found.pop("ts").endswith("+00:00")
    assert (found.pop("level"), found.pop("logger")) == ("warning", "realtime.test")
    return found


def test_line_stays_as_it_was() -> None:
    """Whoever searches the logs finds what they found before."""
    line = written(LineFormatter(), "closed connection=%s code=%s", "ab", 1000)
    assert line.endswith(" WARNING realtime.test closed connection=ab code=1000\n")


def test_line_has_the_id_of_its_cause() -> None:
    """Inside of a cause only."""
    with correlated(Correlation("ab12.3")):
        inside = written(LineFormatter(), "stopped")
    assert inside.endswith(" stopped correlation=ab12.3\n")
    assert "correlation" not in written(LineFormatter(), "stopped")


def test_keys_of_a_line_become_keys_of_json() -> None:
    """Numbers stay numbers; what has no key stays in the text."""
    assert told("closed connection=%s code=%d after_s=%.1f", "ab", 1000, 2.25) == {
        "event": "closed",
        "connection": "ab",
        "code": 1000,
        "after_s": 2.25,
    }
    assert told("put off: %s 100%%", "busy") == {"event": "put off: busy 100%"}
    assert told("%s is down reason=%r", "valkey", OSError("gone")) == {
        "event": "valkey is down",
        "reason": "OSError('gone')",
    }


def test_line_of_another_library_is_told_whole() -> None:
    """Nothing of theirs is taken apart wrongly."""
    assert told("%(a)s and %(b)s", {"a": 1, "b": 2}) == {"event": "1 and 2"}
    assert told("no places but 100%") == {"event": "no places but 100%"}
    assert told("%5.1f%% of %i", 12.34, 7) == {"event": " 12.3% of 7"}


def test_traceback_is_part_of_its_line(formatter: logging.Formatter) -> None:
    """A JSON object is one line, with the traceback in it."""
    try:
        raise ValueError("wrong")
    except ValueError:
        line = written(formatter, "failed job=%d", 3, exc_info=True)
    assert "ValueError: wrong" in line
    if isinstance(formatter, JsonFormatter):
        assert line.count("\n") == 1
        assert json.loads(line)["job"] == 3


def test_structlog_writes_the_same_lines(formatter: logging.Formatter) -> None:
    """Its loggers go through `logging`, with what is bound to them and with the cause."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(formatter)
    under = logging.getLogger("tests.structured")
    under.addHandler(handler)
    try:
        with correlated(Correlation("ab12.3")):
            structlog.get_logger("tests.structured").bind(run=7).warning("stopped", code=2)
    finally:
        under.removeHandler(handler)
    line = stream.getvalue()
    if isinstance(formatter, JsonFormatter):
        found = json.loads(line)
        wanted = {"event": "stopped", "run": 7, "code": 2, "correlation": "ab12.3"}
        assert {key: found[key] for key in wanted} == wanted
        assert found["logger"] == "tests.structured"
    else:
        assert line.count("\n") == 1
        assert " WARNING tests.structured stopped " in line
        for part in ("run=7", "code=2", "correlation=ab12.3"):
            assert part in line.split()
