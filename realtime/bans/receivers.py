"""An account that is activated by hand is no longer banned."""

from collections.abc import Iterable
from typing import Any

from django.conf import settings
from django.db.models.signals import post_save
from django.dispatch import receiver

from realtime.bans.imposing import end_by_activation


@receiver(post_save, sender=settings.AUTH_USER_MODEL)
def account_saved(
    instance: Any,
    created: bool,
    raw: bool = False,
    update_fields: Iterable[str] | None = None,
    **_: Any,
) -> None:
    written = update_fields is None or "is_active" in update_fields
    if instance.is_active and written and not (created or raw):
        end_by_activation(instance)
