"""The base and the common field types of all wire shapes."""

import re
from datetime import UTC, datetime
from typing import Annotated

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PlainSerializer,
    StringConstraints,
)

# C0 and C1 controls except tab, line feed and carriage return; lone surrogates have no UTF-8.
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")

MESSAGE_BODY_MAX_CHARS = 16_000
TITLE_MAX_CHARS = 200


class Shape(BaseModel):
    """A JSON object on the wire. The writer may not add fields that are not declared."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def printable(text: str) -> str:
    """Refuse control characters, naming the first: they break terminals, logs and PostgreSQL."""
    found = _CONTROL.search(text)
    if found:
        raise ValueError(f"expected printable text, got the character U+{ord(found[0]):04X}")
    return text


def saying(text: str) -> str:
    """Refuse white space alone: a message without a text."""
    if text.isspace():
        raise ValueError("expected text, got only white space")
    return text


def wire_time(moment: datetime) -> str:
    """RFC 3339 in UTC with milliseconds, as everywhere on the wire."""
    if moment.tzinfo is not UTC:
        moment = moment.astimezone(UTC)
    return moment.isoformat(timespec="milliseconds")[:-6] + "Z"  # instead of +00:00


Text = Annotated[str, AfterValidator(printable)]
Body = Annotated[
    str,
    StringConstraints(min_length=1, max_length=MESSAGE_BODY_MAX_CHARS),
    AfterValidator(printable),
    AfterValidator(saying),
]
Title = Annotated[
    str, StringConstraints(min_length=1, max_length=TITLE_MAX_CHARS), AfterValidator(printable)
]
ClientRef = Annotated[
    str, StringConstraints(min_length=1, max_length=64), AfterValidator(printable)
]
Moment = Annotated[datetime, PlainSerializer(wire_time, return_type=str)]
MAX_ID = 2**63 - 1  # what a database column of ids holds
Seq = Annotated[int, Field(ge=0, le=MAX_ID, strict=True)]
Id = Annotated[int, Field(ge=1, le=MAX_ID, strict=True)]


class Person(Shape):
    """How a user is shown to others."""

    id: Id
    name: str
