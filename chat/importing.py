"""Importing problem reports as a project's history: a memory and a message for each.

The report's id is the memory's reference, which makes an import restartable: a batch is one
transaction, so it is there whole or not at all, and what is there already is left alone.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, BinaryIO

from django.db import transaction
from django.utils import timezone
from pydantic import AfterValidator, BaseModel, ConfigDict, StringConstraints

from chat.models import ChatSession, Memory, Message, User
from chat.models.memory import MemoryKind
from chat.models.message import MessageKind
from chat.queries.access import writing_membership
from realtime.log.client_refs import Write
from realtime.log.locks import lock_streams
from realtime.log.reading import stream_state
from realtime.log.writing import publishing_together
from realtime.models import ClientRef
from realtime.protocol.errors import BadRequest, NotFound, RealtimeError
from realtime.protocol.frames import parsed_object
from realtime.protocol.payloads.shape import TITLE_MAX_CHARS, printable
from realtime.protocol.streams import project_stream
from realtime.protocol.validation import validated
from realtime.retrying import retried

# Together they stay below what a message holds (16,000 characters) and a frame (128 KiB).
TEXT_MAX_CHARS = 15_000
REPORT_TITLE_MAX_CHARS = 400
LINE_MAX_BYTES = 262_144
CLIENT_REF_MAX_CHARS = 64

_Short = Annotated[
    str,
    StringConstraints(min_length=1, max_length=200, strip_whitespace=True),
    AfterValidator(printable),
]


class Report(BaseModel):
    """One line of the file; other fields are ignored."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    id: _Short
    title: Annotated[
        str,
        StringConstraints(min_length=1, max_length=REPORT_TITLE_MAX_CHARS, strip_whitespace=True),
        AfterValidator(printable),
    ]
    text: Annotated[str, StringConstraints(max_length=TEXT_MAX_CHARS), AfterValidator(printable)]
    repo: _Short

    @property
    def memory_title(self) -> str:
        if len(self.title) <= TITLE_MAX_CHARS:
            return self.title
        return self.title[: TITLE_MAX_CHARS - 1] + "…"

    @property
    def message_body(self) -> str:
        return f"**{self.title}**\n\n{self.text}\n\n({self.repo})"

    def client_ref(self, project_id: int) -> str:
        """An author's references count over all projects, hence the project in it."""
        ref = f"import:{project_id}:{self.id}"
        if len(ref) <= CLIENT_REF_MAX_CHARS:
            return ref
        return f"import:{hashlib.sha256(ref.encode()).hexdigest()[:48]}"


@dataclass(frozen=True, slots=True)
class Line:
    """A line that holds something: a report, or what is wrong with it. `size` is in bytes."""

    number: int
    size: int
    found: Report | RealtimeError


def read_reports(file: BinaryIO) -> Iterator[Line]:
    """The file's lines, one at a time; blank ones are skipped, endless ones are not kept."""
    number = 0
    while raw := file.readline(LINE_MAX_BYTES + 1):
        number += 1
        size = len(raw)
        if size > LINE_MAX_BYTES:
            size += _skip_rest(file, raw)
            wrong = f"expected a line of at most {LINE_MAX_BYTES} bytes, got {size}"
            yield Line(number, size, BadRequest(wrong))
            continue
        content = raw.removeprefix(b"\xef\xbb\xbf").strip() if number == 1 else raw.strip()
        if content:
            yield Line(number, size, _report(content))


def _skip_rest(file: BinaryIO, begun: bytes) -> int:
    skipped = 0
    while not begun.endswith(b"\n") and (begun := file.readline(LINE_MAX_BYTES)):
        skipped += len(begun)
    return skipped


def _report(content: bytes) -> Report | RealtimeError:
    try:
        return validated(Report, parsed_object(content))
    except RealtimeError as error:
        return error


@dataclass(frozen=True, slots=True)
class Stored:
    """What one batch did."""

    imported: int
    known: int
    events: int


@retried
@transaction.atomic
def store_reports(project_id: int, author: User | None, reports: Sequence[Report]) -> Stored:
    """Store one batch, in order, in one transaction. Reports that are there already are counted.

    Without an author the messages are nobody's: the operator's doing. Raises NotFound, Forbidden
    (the author may not write there), Unavailable.
    """
    stream = project_stream(project_id)
    lock_streams(stream)
    head = stream_state(stream).head
    if author is not None:
        writing_membership(author, project_id)
    session = ChatSession.objects.filter(project_id=project_id).order_by("pk").first()
    if session is None:
        raise NotFound(f"session: expected one in project {project_id}, got none")
    new = _unknown(project_id, reports)
    refs = [one.client_ref(project_id) for one in new]
    said = set(
        Message.objects.filter(project_id=project_id, client_ref__in=refs).values_list(
            "client_ref", flat=True
        )
    )
    taken = _taken(author, refs)
    with publishing_together():
        Memory.objects.bulk_create(
            Memory(
                project_id=project_id,
                kind=MemoryKind.ISSUE,
                title=one.memory_title,
                body=one.text,
                reference=one.id,
            )
            for one in new
        )
        # A memory may have been deleted since, and its message kept: that one is not said again.
        messages = Message.objects.bulk_create(
            Message(
                project_id=project_id,
                session=session,
                kind=MessageKind.SYSTEM,
                author=author,
                body=one.message_body,
                client_ref=None if ref in taken else ref,
            )
            for one, ref in zip(new, refs, strict=True)
            if ref not in said
        )
    _claim(project_id, author, messages)
    # Under the stream's lock nobody else can have moved its head.
    return Stored(len(new), len(reports) - len(new), stream_state(stream).head - head)


def _taken(author: User | None, refs: Sequence[str]) -> set[str]:
    """Those that the author has used for something else; those messages go without a reference."""
    if author is None:
        return set()
    claimed = ClientRef.objects.filter(user_id=author.pk, ref__in=refs)
    borne = Message.objects.filter(author=author, client_ref__in=refs)
    found = {*claimed.values_list("ref", flat=True), *borne.values_list("client_ref", flat=True)}
    return {ref for ref in found if ref is not None}


def _claim(project_id: int, author: User | None, messages: Sequence[Message]) -> None:
    """As if the author had sent them: another write with such a reference is a conflict."""
    if author is None:
        return
    writes = {
        message: Write(author.pk, message.client_ref, ("import_issues", project_id))
        for message in messages
        if message.client_ref is not None
    }
    ClientRef.objects.bulk_create(
        ClientRef(
            user_id=write.user_id,
            ref=write.ref,
            content=write.digest,
            target=message.pk,
            created_at=timezone.now(),
        )
        for message, write in writes.items()
    )


def _unknown(project_id: int, reports: Sequence[Report]) -> list[Report]:
    """The first of each id that the project does not have, in the given order."""
    ids = {one.id for one in reports}
    known = set(
        Memory.objects.filter(project_id=project_id, reference__in=ids).values_list(
            "reference", flat=True
        )
    )
    first: dict[str, Report] = {}
    for one in reports:
        if one.id not in known:
            first.setdefault(one.id, one)
    return list(first.values())
