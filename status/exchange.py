"""What processes tell each other by the database: that they live, what each finds, and who looks at
what is looked at once. Synchronous; runs in a database thread. All times are the database's."""

import os
import socket
import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection, transaction
from django.db.models import Q, QuerySet
from django.db.models.functions import Now
from django.utils import timezone

from realtime.retrying import retried
from status.models import Board, Member, MemberKind

EXCHANGE_EVERY_S = 2.0
ALIVE_S = 6.0  # since the last exchange: two were missed, and a third is late
HELD_S = 6.0
FORGOTTEN_S = 600.0  # the rows of processes that ended without saying so

Report = dict[str, dict[str, Any]]


@dataclass(frozen=True, slots=True)
class MemberView:
    """A process that is alive, as it last said of itself."""

    id: str
    kind: MemberKind
    report: Report


@dataclass(frozen=True, slots=True)
class Exchanged:
    """holds: whether the board is ours until HELD_S from now; `members` are read only then.
    `version` and `view` are what stands on the board."""

    now: datetime
    holds: bool
    members: tuple[MemberView, ...]
    version: int
    view: dict[str, Any]


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
def exchange(member_id: str, kind: MemberKind, report: Report) -> Exchanged:
    """Say that the process lives and what it finds; take or keep the board if it is free or ours.

    Workers never take it. Raises Unavailable.
    """
    _renew(member_id, kind, report)
    holds = kind is MemberKind.NODE and _hold(member_id)
    members: tuple[MemberView, ...] = ()
    if holds:
        rows = living().order_by("id").values_list("id", "kind", "report")
        members = tuple(MemberView(one[0], MemberKind(one[1]), one[2]) for one in rows)
    version, view = Board.objects.values_list("version", "view").get(pk=1)
    return Exchanged(database_now(), holds, members, version, view)


def _renew(member_id: str, kind: MemberKind, report: Report) -> None:
    if Member.objects.filter(pk=member_id).update(seen_at=Now(), report=report):
        return
    host = socket.gethostname()[:80]
    Member.objects.create(id=member_id, kind=kind, host=host, pid=os.getpid(), report=report)


def _hold(member_id: str) -> bool:
    free = Q(holder=member_id) | Q(until__lte=Now())
    until = Now() + timedelta(seconds=HELD_S)
    return bool(Board.objects.filter(free, pk=1).update(holder=member_id, until=until))


def write_view(member_id: str, view: dict[str, Any], *, changed: bool) -> int | None:
    """Put the view on the board; its version, None where somebody else holds the board by now."""
    with transaction.atomic():
        board = Board.objects.select_for_update().filter(pk=1, holder=member_id).first()
        if board is None:
            return None
        version = board.version + changed
        Board.objects.filter(pk=1).update(view=view, version=version)
        return version


def leave(member_id: str) -> None:
    """A planned stop: nobody waits for this process, nor for the board that it held."""
    Member.objects.filter(pk=member_id).delete()
    Board.objects.filter(pk=1, holder=member_id).update(holder="", until=Now())


def forget_dead() -> int:
    """Rows of processes that ended long ago without saying so; how many went."""
    limit = Now() - timedelta(seconds=FORGOTTEN_S)
    return Member.objects.filter(seen_at__lt=limit).delete()[0]
