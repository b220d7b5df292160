"""Who may speak to whom, and who sees what became of it."""

from typing import Any

from django.contrib.auth import get_user_model
from django.db.models import QuerySet

from realtime import registry
from realtime.models.broadcast import Broadcast, BroadcastKind
from realtime.protocol.errors import Forbidden, NotFound
from realtime.protocol.streams import StreamKind, StreamName

TO_EVERYONE = "realtime.broadcast_to_everyone"
UNSEEN = "broadcast: expected one that you may see, got none by that id"


def is_operator(user: Any) -> bool:
    """May speak to everyone, and so to anyone."""
    return bool(user.is_staff and user.has_perm(TO_EVERYONE))


def require_operator(user: Any, stream: StreamName) -> None:
    if not is_operator(user):
        raise Forbidden("expected staff with the right to speak to everyone, got another account")


def require_staff(user: Any, stream: StreamName) -> None:
    if not (user.is_staff and user.is_active):
        raise Forbidden("expected staff, got another account")


def require_right(user: Any, stream: StreamName, kind: str) -> None:
    """Raises NotFound, Forbidden. Announcing maintenance, wherever, is for operators."""
    if is_operator(user):
        return
    registry.require_speaker(user, stream)
    if kind == BroadcastKind.MAINTENANCE:
        require_operator(user, stream)


def everyone(stream: StreamName) -> "QuerySet[Any, int]":
    people: QuerySet[Any, int] = (
        get_user_model().objects.filter(is_active=True).values_list("pk", flat=True)
    )
    return people


def one_person(stream: StreamName) -> "QuerySet[Any, int]":
    return everyone(stream).filter(pk=stream.key)


def register_audiences() -> None:
    """Those of the core's own streams."""
    registry.register_audience(StreamKind.SYSTEM, everyone, require_operator)
    registry.register_audience(StreamKind.USER, one_person, require_staff)


def visible(user: Any) -> QuerySet[Broadcast]:
    """Those whose fate the user may know from lists: operators all, others their own."""
    rows = Broadcast.objects.select_related("author", "stream")
    return rows if is_operator(user) else rows.filter(author=user.pk)


def visible_broadcast(user: Any, broadcast_id: int) -> Broadcast:
    """One that the user may see: another's too, where they may speak. Raises NotFound."""
    row = Broadcast.objects.select_related("author", "stream").filter(pk=broadcast_id).first()
    if row is None:
        raise NotFound(UNSEEN)
    if row.author_id != user.pk:
        try:
            require_right(user, StreamName.parse(row.stream.name), row.kind)
        except (Forbidden, NotFound) as error:
            raise NotFound(UNSEEN) from error
    return row
