"""Memberships in the audit log: who let whom into a project, and who ended that."""

from typing import Any

from django.db.models.signals import post_delete, post_save, pre_delete
from django.dispatch import receiver

from chat.models import Membership, Project
from realtime.audit.recording import record_acting
from realtime.protocol.streams import project_stream


@receiver(post_save, sender=Membership)
def membership_saved(instance: Membership, created: bool, raw: bool = False, **_: Any) -> None:
    if not raw:
        _record("membership_added" if created else "membership_changed", instance)


@receiver(post_delete, sender=Membership)
def membership_deleted(instance: Membership, origin: Any = None, **_: Any) -> None:
    if not (isinstance(origin, Project) or getattr(origin, "model", None) is Project):
        _record("membership_removed", instance)


@receiver(pre_delete, sender=Project)
def project_deleted(instance: Project, **_: Any) -> None:
    """One entry for all the memberships that end with it."""
    details = {"name": instance.name, "members": instance.memberships.count()}
    record_acting("project_deleted", target=project_stream(instance.pk), details=details)


def _record(action: str, row: Membership) -> None:
    details = {"user": row.user_id, "role": row.role}
    record_acting(action, target=project_stream(row.project_id), details=details)
