"""Who loses the right to see the system's state is told by the log, like every end of a right.

The permission may come by a group or directly. Whatever takes it away, the same transaction appends
to `status` an event whose `ends` names the person, and every node ends the subscription there.
Staff keep their right; losing that ends all their sockets (`chat.models.user`).
"""

from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group, Permission
from django.db.models.signals import m2m_changed, post_delete, pre_delete

from realtime.log.entries import EventDraft
from realtime.log.locks import lock_streams
from realtime.log.writing import publish
from realtime.protocol.streams import STATUS_STREAM, user_stream

PERMISSION = "status.view_status"
RIGHT_ENDED = "right_ended"
_KEPT = "_status_viewers"  # on the row that changes, between the signals before and after


def _viewers() -> set[int]:
    """Who has the right by the permission alone."""
    holders = get_user_model()._default_manager.with_perm(PERMISSION, include_superusers=False)  # noqa: SLF001
    return set(holders.filter(is_staff=False, is_superuser=False).values_list("pk", flat=True))


def _note(row: Any) -> None:
    """Before the change. The stream is locked before any row is written, as everywhere."""
    viewers = _viewers()
    if viewers:
        lock_streams(STATUS_STREAM)
        viewers = _viewers()  # as of the lock: others may have waited for it, too
    setattr(row, _KEPT, viewers)


def _end(row: Any) -> None:
    """After the change."""
    lost: set[int] = getattr(row, _KEPT, set())
    lost -= _viewers() if lost else set()
    setattr(row, _KEPT, set())
    for user_id in sorted(lost):
        data = {"kind": RIGHT_ENDED, "text": "Somebody may no longer see the system's state."}
        publish(STATUS_STREAM, EventDraft("system_notification", data, ends=user_stream(user_id)))


def links_changed(instance: Any, action: str, **_: Any) -> None:
    """Of people and groups, people and permissions, or groups and permissions, from either side."""
    if action in {"pre_remove", "pre_clear"}:
        _note(instance)
    elif action in {"post_remove", "post_clear"}:
        _end(instance)


def row_going(instance: Any, **_: Any) -> None:
    _note(instance)


def row_gone(instance: Any, **_: Any) -> None:
    _end(instance)


def connect() -> None:
    """Called once, when all models are there."""
    user = get_user_model()
    for links in (user.groups.through, user.user_permissions.through, Group.permissions.through):
        m2m_changed.connect(links_changed, sender=links)
    for model in (Group, Permission):
        pre_delete.connect(row_going, sender=model)
        post_delete.connect(row_gone, sender=model)
