"""One id for all that one request, command or job causes, in this process and in the next ones.

It is set where a cause comes in, read by log lines and by what is written, and carried in the rows
of events and jobs and, where tracing is on, in hints.
"""

import re
import uuid
from contextvars import ContextVar
from typing import NamedTuple

MAX_ID = 64
# What may stand in a header, a log line and a name of Redis as it is.
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,63}", re.ASCII)
_TRACEPARENT = re.compile(r"00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}", re.ASCII)
_SEPARATOR = "~"  # no id contains it
MAX_CARRIED = MAX_ID + len(_SEPARATOR) + 55  # the last is the length of a `traceparent`


class Correlation(NamedTuple):
    """`parent`: the span it belongs to, as W3C's `traceparent` says it; None without spans."""

    id: str
    parent: str | None = None

    def carried(self) -> str:
        """As one text, for rows and hints."""
        return self.id if self.parent is None else f"{self.id}{_SEPARATOR}{self.parent}"


_present: ContextVar[Correlation | None] = ContextVar("correlation", default=None)
present = _present.get  # what the caller acts for; None where nobody said


def present_id() -> str | None:
    found = _present.get()
    return None if found is None else found.id


def carried() -> str | None:
    """What the caller acts for, as one text."""
    found = _present.get()
    return None if found is None else found.carried()


def well_formed(text: str | None) -> str | None:
    """The text where it may be an id, else None."""
    return text if text is not None and _ID.fullmatch(text) else None


def well_formed_parent(text: str | None) -> str | None:
    """The text where it is a `traceparent` of version 00, else None."""
    return text if text is not None and _TRACEPARENT.fullmatch(text) else None


def new_id() -> str:
    return uuid.uuid4().hex


def parsed(carried: str | None) -> Correlation | None:
    """What `carried` said; None for anything else."""
    if carried is None:
        return None
    text, _, parent = carried.partition(_SEPARATOR)
    found = well_formed(text)
    return None if found is None else Correlation(found, well_formed_parent(parent))


class correlated:  # noqa: N801 - a context manager, entered for every call
    """Act for it inside; tasks that are started inside do so, too."""

    __slots__ = ("_given", "_token")

    def __init__(self, given: Correlation | None) -> None:
        self._given = given

    def __enter__(self) -> None:
        self._token = _present.set(self._given)

    def __exit__(self, *_: object) -> None:
        _present.reset(self._token)
