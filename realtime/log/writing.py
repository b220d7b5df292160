"""Publishing: the event's row in the transaction of its cause, the announcement after it."""

import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from django.db import transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.utils import timezone

from realtime import publisher
from realtime.backends.cursors import this_database
from realtime.conf import Options, options
from realtime.log.appending import Row, can_write_at_once, move_and_write, move_head, write
from realtime.log.entries import Entry, EventDraft
from realtime.log.locks import check_order, held_streams, note_held, require_transaction
from realtime.log.redaction import blank_subject
from realtime.protocol.catalogue import Durability, Family, declared_type
from realtime.protocol.errors import TooLarge
from realtime.protocol.frames import MAX_FRAME_BYTES, event_text
from realtime.protocol.positions import Position
from realtime.protocol.streams import StreamKind, StreamName
from realtime.tracing.correlation import present_id


@dataclass(frozen=True, slots=True)
class _Checked:
    draft: EventDraft
    data: bytes  # JSON text


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


@dataclass(frozen=True, slots=True)
class _Later:
    """A call among the commit hooks until its gathering ends; dropped there like a draft."""

    gathering: object
    function: Callable[[list[Any]], None]
    argument: Any

    def __call__(self) -> None:
        """Never left to do: the gathering takes it out before the commit."""


_SWITCHES: dict[Family, Callable[[Options], bool]] = {
    Family.CHAT: lambda given: given.realtime_chat_broadcasting,
    Family.MEMORY: lambda given: given.realtime_memory_updates,
    Family.STATUS: lambda given: given.realtime_status_updates,
}


def family_enabled(family: Family) -> bool:
    """Whether the operator wants events of this family (REALTIME_* settings)."""
    switch = _SWITCHES.get(family)
    return switch is None or switch(options())


def _checked(kind: StreamKind, draft: EventDraft) -> _Checked | None:
    declared = declared_type(draft.type, kind, Durability.EVENT)
    data = declared.encoded(draft.data)
    # What takes text away is told whatever is switched off: caches must drop it too.
    wanted = draft.redacts is not None or family_enabled(declared.family)
    return _Checked(draft, data) if wanted else None


def publish(stream: str, event: EventDraft) -> Position | None:
    """Append `event` to `stream`; it becomes visible, and is sent, when the transaction commits.

    The caller is inside `transaction.atomic()` and has locked the stream before it wrote any row
    (the base model does both). Returns the event's position; None where the family of events is
    switched off, and inside `publishing_together`, where seqs are given at its end.
    Raises OutsideTransaction, UndeclaredEvent, TooLarge (frame above 128 KiB), NotFound.
    """
    database = this_database()
    require_transaction(database)
    checked = _checked(StreamName.parse(stream).kind, event)
    if checked is None:
        return None
    gathering = _gathering(database)
    if gathering is not None:
        database.on_commit(_Gathered(gathering, stream, checked))
        return None
    return _append(database, stream, [checked])


def publish_many(stream: str, events: Sequence[EventDraft]) -> Position | None:
    """As `publish` for many events of one stream, with one UPDATE and one INSERT."""
    database = this_database()
    require_transaction(database)
    kind = StreamName.parse(stream).kind
    checked = [found for event in events if (found := _checked(kind, event)) is not None]
    return _append(database, stream, checked) if checked else None


@contextmanager
def publishing_together() -> Iterator[None]:
    """Gather what is published inside and append it at the end, per stream in order.

    For bulk paths: the cost of the stream's row is paid once for all. Nested use joins the outer.
    An exception inside rolls the transaction (or the innermost savepoint around this) back, also
    when it is caught: rows would stay that nobody was told of.
    """
    database = this_database()
    require_transaction(database)
    if _gathering(database) is not None:
        yield
        return
    gathering = object()
    database._realtime_gathering = gathering  # type: ignore[attr-defined]  # noqa: SLF001
    try:
        with transaction.mark_for_rollback_on_error(database.alias):
            yield
    finally:
        database._realtime_gathering = None  # type: ignore[attr-defined]  # noqa: SLF001
    together = _taken(database, gathering)
    later = _taken_calls(database, gathering)
    for stream in sorted(together):
        _append(database, stream, together[stream])
    for function, arguments in later.items():
        function(arguments)


def call_together(function: Callable[[list[Any]], None], argument: Any) -> None:
    """Have `function([argument])` called now, or inside `publishing_together` once at its end with
    the arguments of all such calls: what a receiver adds for each row must not cost once per row.
    """
    database = this_database()
    gathering = _gathering(database)
    if gathering is None:
        function([argument])
    else:
        database.on_commit(_Later(gathering, function, argument))


def published_seq(stream: str) -> int | None:
    """The newest seq that the current transaction gave in `stream`, None when it gave none.

    Read from the waiting announcements, which a rolled back savepoint takes with it.
    """
    for _, hook, *_ in reversed(this_database().run_on_commit):
        if isinstance(hook, partial) and hook.func is publisher.announce and hook.args[0] == stream:
            entries: list[Entry] = hook.args[2]
            return entries[-1].seq
    return None


def _gathering(database: BaseDatabaseWrapper) -> object | None:
    """The open gathering of this thread's connection."""
    return getattr(database, "_realtime_gathering", None)


def _taken_calls(
    database: BaseDatabaseWrapper, gathering: object
) -> dict[Callable[[list[Any]], None], list[Any]]:
    """Likewise the calls, by function."""
    calls: dict[Callable[[list[Any]], None], list[Any]] = {}
    others: list[Any] = []
    for entry in database.run_on_commit:
        hook: object = entry[1]
        if isinstance(hook, _Later) and hook.gathering is gathering:
            calls.setdefault(hook.function, []).append(hook.argument)
        else:
            others.append(entry)
    database.run_on_commit = others
    return calls


def _taken(database: BaseDatabaseWrapper, gathering: object) -> dict[str, list[_Checked]]:
    """Take what was gathered from among the commit hooks, per stream in order."""
    together: dict[str, list[_Checked]] = {}
    others: list[Any] = []
    for entry in database.run_on_commit:
        hook: object = entry[1]
        if isinstance(hook, _Gathered) and hook.gathering is gathering:
            together.setdefault(hook.stream, []).append(hook.checked)
        else:
            others.append(entry)
    database.run_on_commit = others
    return together


def _append(database: BaseDatabaseWrapper, stream: str, checked: Sequence[_Checked]) -> Position:
    try:
        return _append_unsafe(database, stream, checked)
    except Exception as error:
        # A refused frame must not leave the head moved: readers would wait for that seq for ever.
        # As `mark_for_rollback_on_error` does, without a generator for each event.
        if database.in_atomic_block:
            database.needs_rollback = True
            database.rollback_exc = error  # type: ignore[attr-defined]
        raise


def _append_unsafe(
    database: BaseDatabaseWrapper, stream: str, checked: Sequence[_Checked]
) -> Position:
    held = held_streams(database)
    if stream not in held:
        check_order([stream], held)
        note_held(stream, database)
    moment = timezone.now()
    rows = [_row(stream, one, moment) for one in checked]
    if len(rows) == 1 and can_write_at_once(database) and not checked[0].draft.redacts:
        moved = move_and_write(database, stream, rows[0], moment)
        _refuse_large(rows)
    else:
        moved = move_head(database, stream, rows)
        _refuse_large(rows)
        for number, one in enumerate(checked):
            if one.draft.redacts:
                before = rows[:number]
                rows[number].blanks = blank_subject(one.draft.redacts, moved.id, before)
        write(database, moved.id, rows, moment)
    entries = [Entry(row.seq, row.frame, row.type, row.ends, row.blanks) for row in rows]
    announcing = partial(publisher.announce, stream, moved.epoch, entries)
    database.on_commit(announcing, robust=True)
    return Position(moved.epoch, moved.head)


def _row(stream: str, one: _Checked, moment: datetime) -> Row:
    event_id = uuid.uuid4()
    text = event_text(one.draft.type, stream, str(event_id), moment, one.data)
    return Row(event_id, one.draft.type, text, one.draft.subject, one.draft.ends, present_id())


def _refuse_large(rows: Sequence[Row]) -> None:
    for row in rows:
        if len(row.frame) > MAX_FRAME_BYTES:
            raise TooLarge(
                f"{row.type}: expected a frame of at most {MAX_FRAME_BYTES} bytes, "
                f"got {len(row.frame)}"
            )
