"""What a log line looks like: for people, or as one JSON object each.

Records of `logging` and of structlog become the same lines. Settings name this module, so it must
import nothing of Django's.
structlog's `ProcessorFormatter` copies each record and walks two chains: 6 us more than a line has
cost. What `logging` made, which is nearly all, therefore goes past it.
"""

import logging
import re
from collections.abc import Mapping, MutableMapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, NamedTuple, TypeAlias

from pydantic_core import to_json

from realtime.absent import absent
from realtime.tracing.correlation import present

with absent("better_exceptions", "rich", "twisted"):  # it would take them: 17 MB
    import structlog
    from structlog.stdlib import ProcessorFormatter

LINE = "{asctime} {levelname} {name} {message}"
# `key=%s`, or a bare `%s`; `%%` is text.
_PLACES = re.compile(r"(?:(?<!\S)(\w+)=)?%[-+ #0]*\d*(?:\.\d+)?([srdfgx])|%%")
Event: TypeAlias = MutableMapping[str, Any]
_BUILT_IN = (str, int, bool, type(None))

logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False  # in no line of ours


class _Place(NamedTuple):
    """`key`: None for a bare one. `repr`: asked for by `%r`."""

    key: str | None
    repr: bool


@lru_cache(maxsize=1024)
def _template(text: str) -> tuple[str, tuple[_Place, ...]]:
    """The text without its `key=%s`, and all of its places."""
    places: list[_Place] = []

    def without(found: re.Match[str]) -> str:
        if found[2] is None:
            return found[0]
        places.append(_Place(found[1], found[2] == "r"))
        return "" if found[1] else found[0]

    rest = _PLACES.sub(without, text)
    return " ".join(rest.split()), tuple(places)


def structured(record: logging.LogRecord) -> dict[str, Any]:
    """`event`, and the values that the line names. A record without keys is all event."""
    args = record.args
    if not args or isinstance(args, Mapping):
        return {"event": record.getMessage()}
    rest, places = _template(str(record.msg))
    if len(places) != len(args):
        return {"event": record.getMessage()}
    given = list(zip(places, args, strict=True))
    bare = tuple(value for place, value in given if place.key is None)
    found: dict[str, Any] = {"event": rest % bare}
    for place, value in given:
        if place.key is not None:
            found[place.key] = _plain(value, place)
    return found


def _plain(value: object, place: _Place) -> object:
    if isinstance(value, float):
        return round(value, 3)
    if isinstance(value, _BUILT_IN):
        return value
    return repr(value) if place.repr else str(value)


def _correlate(logger: object, method: str, event: Event) -> Event:
    """A processor of structlog's."""
    if (found := present()) is not None:
        event.setdefault("correlation", found.id)
    return event


def _as_message(logger: object, method: str, event: Event) -> str:
    """A processor of structlog's: what stands in `message`, as all lines here have it."""
    text, trace = str(event.pop("event", "")), event.pop("exception", None)
    line = " ".join([text, *(f"{key}={value}" for key, value in event.items())])
    return line if trace is None else f"{line}\n{trace}"


class LineFormatter(ProcessorFormatter):
    """`TIME LEVEL LOGGER MESSAGE`, and ` correlation=ID` where there is one."""

    def __init__(self) -> None:
        super().__init__(
            processors=[
                ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                _as_message,
            ],
            fmt=LINE,
            style="{",
        )

    def format(self, record: logging.LogRecord) -> str:
        if hasattr(record, "_logger"):  # structlog's own
            return super().format(record)
        return logging.Formatter.format(self, record)

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's name
        line = super().formatMessage(record)
        found = None if hasattr(record, "_logger") else present()
        return line if found is None else f"{line} correlation={found.id}"


class JsonFormatter(ProcessorFormatter):
    """One object a line: `ts`, `level`, `logger`, `event`, the line's own keys, `correlation`."""

    def __init__(self) -> None:
        super().__init__(processors=[structlog.processors.format_exc_info, _as_json])

    def format(self, record: logging.LogRecord) -> str:
        if hasattr(record, "_logger"):
            return super().format(record)
        event = _correlate(None, "", structured(record))
        if record.exc_info:
            event["exception"] = self.formatException(record.exc_info)
        return _json(record, event)


def _as_json(logger: object, method: str, event: Event) -> str:
    """A processor of structlog's."""
    record: logging.LogRecord = event.pop("_record")
    del event["_from_structlog"]
    return _json(record, event)


def _json(record: logging.LogRecord, event: Event) -> str:
    moment = datetime.fromtimestamp(record.created, UTC)
    line = {
        "ts": moment.isoformat(timespec="milliseconds"),
        "level": record.levelname.lower(),
        "logger": record.name,
    }
    return to_json({**line, **event}, fallback=str, inf_nan_mode="constants").decode()


# Loggers of structlog's write by `logging`, with what is bound to their context.
structlog.configure(
    processors=[
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.filter_by_level,
        _correlate,
        ProcessorFormatter.wrap_for_formatter,
    ],
    logger_factory=structlog.stdlib.LoggerFactory(),
    wrapper_class=structlog.stdlib.BoundLogger,
    cache_logger_on_first_use=True,
)
