"""What processes tell each other by the database: that they live, what each finds, and who looks at
what is looked at once. Synchronous; runs in a database thread. All times are the database's."""

import json
import os
import socket
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from django.db import connection, transaction
from django.db.models import QuerySet
from django.db.models.functions import Now
from django.utils import timezone

from realtime.retrying import retried
from status.models import Board, Member, MemberKind

if TYPE_CHECKING:
    from status.view import View

EXCHANGE_EVERY_S = 2.0
ALIVE_S = 6.0  # since the last exchange: two were missed, and a third is late
HELD_S = 6.0
FORGOTTEN_S = 600.0  # the rows of processes that ended without saying so

Report = dict[str, dict[str, Any]]

# As texts, because every process runs them every 2 s for as long as it lives: Django's making of
# them costs more than they do. Seconds from now, as each database says it.
_FROM_NOW = {
    "sqlite": "STRFTIME('%%Y-%%m-%%d %%H:%%M:%%f', 'NOW', '{:+g} seconds')",
    "postgresql": "(STATEMENT_TIMESTAMP() + INTERVAL '{:g} seconds')",
}
_RENEW = "UPDATE status_member SET seen_at = {now}, report = %s WHERE id = %s"
_HOLD = """
    UPDATE status_board SET holder = %s, until = {held}
    WHERE id = 1 AND (holder = %s OR until <= {now}) RETURNING version, view
"""
_BOARD = "SELECT version, view FROM status_board WHERE id = 1"
_LIVING = "SELECT id, kind, report FROM status_member WHERE seen_at >= {alive} ORDER BY id"
_WRITE = """
    UPDATE status_board SET view = %s, version = version + %s WHERE id = 1 AND holder = %s
    RETURNING version
"""


@dataclass(frozen=True, slots=True)
class MemberView:
    """A process that is alive, as it last said of itself."""

    id: str
    kind: MemberKind
    report: Report


@dataclass(frozen=True, slots=True)
class Exchanged:
    """holds: whether the board is ours until HELD_S from now; `members` are read only then.
    `version` and `view` are what stood on the board, `written` the view that was put there instead
    and its version."""

    now: datetime
    holds: bool
    members: tuple[MemberView, ...]
    version: int
    view: dict[str, Any]
    written: "tuple[View, int] | None" = None


Compose = Callable[[Sequence[MemberView]], "View"]


def worker_id() -> str:
    """For a process that is no node."""
    return f"{socket.gethostname()[:24]}.{os.getpid()}.{uuid.uuid4().hex[:8]}"


def database_now() -> datetime:
    """The database's clock; SQLite has that of this machine."""
    if connection.vendor != "postgresql":
        return timezone.now()
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        found: datetime = cursor.fetchone()[0]
    return found


def living() -> QuerySet[Member]:
    return Member.objects.filter(seen_at__gte=Now() - timedelta(seconds=ALIVE_S))


@retried
@transaction.atomic
def exchange(
    member_id: str, kind: MemberKind, report: Report, compose: Compose | None = None
) -> Exchanged:
    """Say that the process lives and what it finds; take or keep the board if it is free or ours,
    and put on it what `compose` makes of all that live.

    Workers never take it. Raises Unavailable.
    """
    _renew(member_id, kind, report)
    board = _run(_HOLD, member_id, member_id) if kind is MemberKind.NODE else []
    holds = bool(board)
    members: tuple[MemberView, ...] = ()
    if holds:
        rows = _run(_LIVING)
        members = tuple(MemberView(one[0], MemberKind(one[1]), json.loads(one[2])) for one in rows)
    ((version, text),) = board or _run(_BOARD)
    view: dict[str, Any] = json.loads(text)
    written = None
    if holds and compose is not None:
        composed = compose(members)
        changed = view.get("parts") != composed.health["parts"]
        if (newest := write_view(member_id, composed.stored, changed=changed)) is not None:
            written = (composed, newest)
    return Exchanged(database_now(), holds, members, version, view, written)


def _run(statement: str, *given: str | int) -> list[tuple[Any, ...]]:
    """The rows that it gives."""
    from_now = _FROM_NOW[connection.vendor]
    text = statement.format(
        now=from_now.format(0), held=from_now.format(HELD_S), alive=from_now.format(-ALIVE_S)
    )
    with connection.cursor() as cursor:
        cursor.execute(text, given)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
        return rows


def _renew(member_id: str, kind: MemberKind, report: Report) -> None:
    with connection.cursor() as cursor:
        now = _FROM_NOW[connection.vendor].format(0)
        cursor.execute(_RENEW.format(now=now), [json.dumps(report), member_id])
        if cursor.rowcount:
            return
    host = socket.gethostname()[:80]
    Member.objects.create(id=member_id, kind=kind, host=host, pid=os.getpid(), report=report)


def write_view(member_id: str, view: dict[str, Any], *, changed: bool) -> int | None:
    """Put the view on the board; its version, None where somebody else holds the board by now."""
    rows = _run(_WRITE, json.dumps(view), int(changed), member_id)
    return rows[0][0] if rows else None


def leave(member_id: str) -> None:
    """A planned stop: nobody waits for this process, nor for the board that it held."""
    Member.objects.filter(pk=member_id).delete()
    Board.objects.filter(pk=1, holder=member_id).update(holder="", until=Now())


def forget_dead() -> int:
    """Rows of processes that ended long ago without saying so; how many went."""
    limit = Now() - timedelta(seconds=FORGOTTEN_S)
    return Member.objects.filter(seen_at__lt=limit).delete()[0]
