"""Publishing: the event's row in the transaction of its cause, the announcement after it."""

import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

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


@dataclass(frozen=True, slots=True)
class _Gathered:
    """A draft among the commit hooks until its gathering ends.

    A rolled back savepoint drops it there together with the row that it tells of.
    """

    gathering: object
    stream: str
    checked: _Checked

    def __call__(self) -> None:
        """Never left to do: the gathering takes it out before the commit."""


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
    # What takes text away is told whatever is switched off: caches must drop it too.
    wanted = family_enabled(declared.family) or draft.redacts is not None
    return _Checked(draft, declared, data) if wanted else None


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
    gathering = _gathering()
    if gathering is not None:
        transaction.on_commit(_Gathered(gathering, stream, checked))
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
    An exception inside rolls the transaction (or the innermost savepoint around this) back, also
    when it is caught: rows would stay that nobody was told of.
    """
    require_transaction()
    if _gathering() is not None:
        yield
        return
    gathering = object()
    connection._realtime_gathering = gathering  # type: ignore[attr-defined]  # noqa: SLF001
    try:
        with transaction.mark_for_rollback_on_error(connection.alias):
            yield
    finally:
        connection._realtime_gathering = None  # type: ignore[attr-defined]  # noqa: SLF001
    together = _taken(gathering)
    for stream in sorted(together):
        _append(stream, together[stream])


def published_seq(stream: str) -> int | None:
    """The newest seq that the current transaction gave in `stream`, None when it gave none.

    Read from the waiting announcements, which a rolled back savepoint takes with it.
    """
    for _, hook, *_ in reversed(connection.run_on_commit):
        if isinstance(hook, partial) and hook.func is publisher.announce and hook.args[0] == stream:
            entries: list[Entry] = hook.args[2]
            return entries[-1].seq
    return None


def _gathering() -> object | None:
    """The open gathering of this thread's connection: `connection` is one object per thread."""
    return getattr(connection, "_realtime_gathering", None)


def _taken(gathering: object) -> dict[str, list[_Checked]]:
    """Take what was gathered from among the commit hooks, per stream in order."""
    together: dict[str, list[_Checked]] = {}
    others: list[Any] = []
    for entry in connection.run_on_commit:
        hook: object = entry[1]
        if isinstance(hook, _Gathered) and hook.gathering is gathering:
            together.setdefault(hook.stream, []).append(hook.checked)
        else:
            others.append(entry)
    connection.run_on_commit = others
    return together


def _append(stream: str, checked: Sequence[_Checked]) -> Position:
    # A refused frame must not leave the head moved: readers would wait for that seq for ever.
    with transaction.mark_for_rollback_on_error(connection.alias):
        return _append_unsafe(stream, checked)


def _append_unsafe(stream: str, checked: Sequence[_Checked]) -> Position:
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
