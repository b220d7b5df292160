"""Publishing: the event's row in the transaction of its cause, the announcement after it."""

import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from django.db import connection, transaction
from django.utils import timezone

from realtime import publisher
from realtime.conf import options
from realtime.log.entries import Entry, EventDraft
from realtime.log.locks import check_order, held_streams, note_held, require_transaction
from realtime.log.redaction import blank_subject
from realtime.models.event import Event
from realtime.protocol.catalogue import Durability, EventType, Family, declared_type
from realtime.protocol.errors import NotFound, TooLarge
from realtime.protocol.frames import MAX_FRAME_BYTES, event_frame
from realtime.protocol.positions import Position
from realtime.protocol.streams import StreamName

_ADVANCE = """
    UPDATE realtime_stream SET head = head + %s WHERE name = %s
    RETURNING id, head, (SELECT epoch FROM realtime_installation WHERE id = 1) || epoch
"""


@dataclass(frozen=True, slots=True)
class _Checked:
    draft: EventDraft
    declared: EventType
    data: dict[str, object]


def family_enabled(family: Family) -> bool:
    """Whether the operator wants events of this family (REALTIME_* settings)."""
    return {
        Family.CHAT: options().realtime_chat_broadcasting,
        Family.MEMORY: options().realtime_memory_updates,
        Family.STATUS: options().realtime_status_updates,
        Family.CORE: True,
    }[family]


def _checked(stream: str, draft: EventDraft) -> _Checked | None:
    kind = StreamName.parse(stream).kind
    declared = declared_type(draft.type, kind, Durability.EVENT)
    data = declared.encodable(draft.data)
    return _Checked(draft, declared, data) if family_enabled(declared.family) else None


def publish(stream: str, event: EventDraft) -> Position | None:
    """Append `event` to `stream`; it becomes visible, and is sent, when the transaction commits.

    The caller is inside `transaction.atomic()` and has locked the stream before it wrote any row
    (the base model does both). Returns the event's position; None where the family of events is
    switched off, and inside `publishing_together`, where seqs are given at its end.
    Raises OutsideTransaction, UndeclaredEvent, TooLarge (frame above 128 KiB), NotFound.
    """
    require_transaction()
    checked = _checked(stream, event)
    if checked is None:
        return None
    gathered = _gathered()
    if gathered is not None:
        gathered.setdefault(stream, []).append(checked)
        return None
    return _append(stream, [checked])


def publish_many(stream: str, events: Sequence[EventDraft]) -> Position | None:
    """As `publish` for many events of one stream, with one UPDATE and one INSERT."""
    require_transaction()
    checked = [found for event in events if (found := _checked(stream, event)) is not None]
    return _append(stream, checked) if checked else None


@contextmanager
def publishing_together() -> Iterator[None]:
    """Gather what is published inside and append it at the end, per stream in order.

    For bulk paths: the cost of the stream's row is paid once for all. Nested use joins the outer.
    """
    require_transaction()
    if _gathered() is not None:
        yield
        return
    together: dict[str, list[_Checked]] = {}
    connection._realtime_gathered = together  # type: ignore[attr-defined]  # noqa: SLF001
    try:
        yield
    finally:
        connection._realtime_gathered = None  # type: ignore[attr-defined]  # noqa: SLF001
    for stream in sorted(together):
        _append(stream, together[stream])


def _gathered() -> dict[str, list[_Checked]] | None:
    """The open gathering of this thread's connection: `connection` is one object per thread."""
    return getattr(connection, "_realtime_gathered", None)


def _append(stream: str, checked: Sequence[_Checked]) -> Position:
    held = held_streams()
    if stream not in held:
        check_order([stream], held)
        note_held(stream)
    # Rows are fetched to the end inside the cursor's block: SQLite refuses to commit otherwise.
    with connection.cursor() as cursor:
        cursor.execute(_ADVANCE, [len(checked), stream])
        rows = cursor.fetchall()
    if not rows:
        raise NotFound(f"expected an existing stream, got {stream!r}")
    stream_id, head, epoch = rows[0]
    moment = timezone.now()
    first = head - len(checked) + 1
    events: list[Event] = []
    for seq, one in enumerate(checked, start=first):
        event = _row(stream, stream_id, seq, one, moment)
        if one.draft.redacts:
            event.blanks = blank_subject(one.draft.redacts, stream_id, events)
        events.append(event)
    Event.objects.bulk_create(events)
    entries = [Entry(e.seq, bytes(e.frame), e.type, e.ends, e.blanks) for e in events]
    transaction.on_commit(partial(publisher.announce, stream, epoch, entries), robust=True)
    return Position(epoch, head)


def _row(stream: str, stream_id: int, seq: int, one: _Checked, moment: datetime) -> Event:
    event_id = uuid.uuid4()
    frame = event_frame(one.declared, stream, seq, str(event_id), moment, one.data)
    if len(frame) > MAX_FRAME_BYTES:
        raise TooLarge(
            f"{one.declared.name}: expected a frame of at most {MAX_FRAME_BYTES} bytes, "
            f"got {len(frame)}"
        )
    return Event(
        stream_id=stream_id,
        seq=seq,
        uid=event_id,
        type=one.declared.name,
        ts=moment,
        frame=frame,
        subject=one.draft.subject,
        ends=one.draft.ends,
    )
