"""What clients may write, and what they may ask lists for."""

from datetime import UTC, datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, AwareDatetime, Field, StringConstraints

from realtime.api.inputs import Input, QueryRowId, RowId
from realtime.api.pages import PageQuery
from realtime.protocol.payloads.memory import MemoryKind
from realtime.protocol.payloads.project import Role
from realtime.protocol.payloads.shape import Body, ClientRef, Title, printable

LONG_TEXT_MAX_CHARS = 16_000
MAX_DEPENDENCIES = 100
QUESTION_MAX_CHARS = 2_000


def _in_utc(moment: datetime) -> datetime:
    """Refuse what lies beyond the calendar once its offset is taken off."""
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise ValueError(
            f"expected a moment of the years 1 to 9999 in UTC, got {moment.isoformat()}"
        ) from error


AwareMoment = Annotated[AwareDatetime, AfterValidator(_in_utc)]
LongText = Annotated[
    str, StringConstraints(max_length=LONG_TEXT_MAX_CHARS), AfterValidator(printable)
]
Reference = Annotated[
    str, StringConstraints(min_length=1, max_length=200), AfterValidator(printable)
]
Username = Annotated[
    str, StringConstraints(min_length=1, max_length=150), AfterValidator(printable)
]
Importance = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Pinned = Annotated[bool, Field(strict=True)]
Dependencies = Annotated[list[RowId], Field(max_length=MAX_DEPENDENCIES)]
Substring = Annotated[
    str, StringConstraints(min_length=1, max_length=200), AfterValidator(printable)
]


Question = Annotated[
    str,
    StringConstraints(min_length=1, max_length=QUESTION_MAX_CHARS, strip_whitespace=True),
    AfterValidator(printable),
]


class ProjectInput(Input):
    name: Title
    description: LongText = ""


class ProjectPatch(Input):
    """Only the fields that are given change; the same holds for every other `...Patch`."""

    name: Title = ""
    description: LongText = ""


class MemberInput(Input):
    """`user` is an id or a username."""

    user: RowId | Username
    role: Role = "member"


class MemberPatch(Input):
    role: Role


class MessageInput(Input):
    """The same `client_ref` again gives the message that it made, and no second one."""

    body: Body
    client_ref: ClientRef | None = None
    reply_to: RowId | None = None
    session: RowId | None = None
    ask_ai: Annotated[bool, Field(strict=True)] = False


class QuestionInput(Input):
    """A message that asks the AI; fields as of any message."""

    body: Body
    client_ref: ClientRef | None = None
    reply_to: RowId | None = None
    session: RowId | None = None


class MessagePatch(Input):
    body: Body
    client_ref: ClientRef | None = None


class MemoryInput(Input):
    """`importance` is from 0 to 1; `reference` is unique within the project."""

    kind: MemoryKind = "note"
    title: Title
    body: LongText = ""
    importance: Importance = 0.5
    pinned: Pinned = False
    reference: Reference | None = None
    depends_on: Dependencies = []
    expires_at: AwareMoment | None = None


class MemoryPatch(Input):
    kind: MemoryKind = "note"
    title: Title = ""
    body: LongText = ""
    importance: Importance = 0.5
    pinned: Pinned = False
    reference: Reference | None = None
    depends_on: Dependencies = []
    expires_at: AwareMoment | None = None


class AcceptInput(Input):
    """Only the fields that are given differ from what was proposed."""

    kind: MemoryKind = "note"
    title: Title = ""
    body: LongText = ""


class MessageQuery(PageQuery):
    """`since` and `until` are moments of creation, the first inclusive; `q` is part of the text."""

    author: QueryRowId | None = None
    kind: Literal["user", "ai", "system"] | None = None
    session: QueryRowId | None = None
    since: AwareMoment | None = None
    until: AwareMoment | None = None
    q: Substring | None = None


class MemoryQuery(PageQuery):
    """`q` is part of the title or the text."""

    kind: MemoryKind | None = None
    pinned: bool | None = None
    min_importance: Importance | None = None
    reference: Reference | None = None
    q: Substring | None = None


class SimilarQuery(Input):
    """`q` is a text in one's own words."""

    q: Question
    limit: Annotated[int, Field(ge=1, le=50)] = 5
