"""When credentials end, the log says so: every socket follows its user's stream and closes.

Logout, a revoked key, a changed password and a deactivated account each append one
`system_notification` to `user.<id>`, with `ends` naming what ended. It is written in the
transaction that ends the credential, so no socket can be opened between the two.
"""

from typing import Any

from django.contrib.auth.signals import user_logged_out
from django.db import transaction
from django.db.models.signals import post_delete, post_save
from django.dispatch import receiver

from realtime.log.entries import EventDraft
from realtime.log.locks import lock_streams
from realtime.log.writing import publish
from realtime.models import ApiKey
from realtime.protocol.streams import user_stream
from realtime.security.identity import session_credential


def publish_ending(user_id: int, ends: str, text: str) -> None:
    """Runs inside the transaction that ends the credential, with the user's stream locked."""
    data = {"kind": "credentials_ended", "text": text}
    publish(user_stream(user_id), EventDraft("system_notification", data, ends=ends))


@receiver(user_logged_out)
def session_ended(request: Any, user: Any, **_: Any) -> None:
    key = request.session.session_key
    if user is None or key is None:
        return
    with transaction.atomic():
        lock_streams(user_stream(user.pk))
        request.session.delete(key)  # logout() flushes it again, which then finds nothing
        publish_ending(user.pk, session_credential(key), "You have signed out.")


@receiver(post_save, sender=ApiKey)
def key_changed(instance: ApiKey, created: bool, **_: Any) -> None:
    if not created and not instance.valid:
        publish_ending(instance.user_id, instance.credential, "An API key was revoked.")


@receiver(post_delete, sender=ApiKey)
def key_deleted(instance: ApiKey, origin: Any, **_: Any) -> None:
    if isinstance(origin, ApiKey) or getattr(origin, "model", None) is ApiKey:
        publish_ending(instance.user_id, instance.credential, "An API key was deleted.")
