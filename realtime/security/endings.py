"""When credentials end, the log says so: every socket follows its user's stream and closes.

Logout, a revoked key, a changed password and a deactivated account each append one
`system_notification` to `user.<id>`, with `ends` naming what ended. It is written in the
transaction that ends the credential, so no socket can be opened between the two.
"""

import json
from typing import Any

from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.models import Session
from django.db.models.signals import post_delete, post_save, pre_delete
from django.dispatch import receiver
from django.utils import timezone

from realtime.log.entries import EventDraft
from realtime.log.locks import lock_streams
from realtime.log.writing import publish
from realtime.models import ApiKey
from realtime.protocol.codes import CloseCode
from realtime.protocol.streams import user_stream
from realtime.security.identity import session_credential

CREDENTIALS_ENDED = "credentials_ended"
DISCONNECTED = "disconnected"  # by an administrator; the credentials go on
ACCOUNT_BANNED = "banned"
# Reasons of a close with 4409, or 4403 of the last, for a client to tell its person.
SIGNED_OUT = "credentials ended"
KICKED = "kicked by an administrator"
BANNED = "banned by an administrator"


_CLOSES = {
    DISCONNECTED: (CloseCode.REVOKED, KICKED),
    ACCOUNT_BANNED: (CloseCode.FORBIDDEN, BANNED),
}


def close_of(frame: bytes | None) -> tuple[CloseCode, str]:
    """Code and reason for the sockets that the ending in `frame` closes."""
    kind = json.loads(frame)["data"].get("kind", "") if frame is not None else ""
    return _CLOSES.get(kind, (CloseCode.REVOKED, SIGNED_OUT))


def publish_ending(user_id: int, ends: str, text: str, *, kind: str = CREDENTIALS_ENDED) -> None:
    """Runs inside the transaction that ends the credential, with the user's stream locked."""
    data = {"kind": kind, "text": text}
    publish(user_stream(user_id), EventDraft("system_notification", data, ends=ends))


@receiver(pre_delete, sender=Session)
def session_ended(instance: Session, **_: Any) -> None:
    """Signing out, signing in over it, a new key after a password change: all delete the row.

    An expired one is only cleared away: its sockets were closed when it expired.
    """
    user_id = instance.get_decoded().get(SESSION_KEY)
    if user_id is not None and instance.expire_date > timezone.now():
        lock_streams(user_stream(int(user_id)))
        ended = session_credential(instance.session_key)
        publish_ending(int(user_id), ended, "A sign-in ended.")


@receiver(post_save, sender=ApiKey)
def key_changed(instance: ApiKey, created: bool, **_: Any) -> None:
    if not created and not instance.valid:
        publish_ending(instance.user_id, instance.credential, "An API key was revoked.")


@receiver(post_delete, sender=ApiKey)
def key_deleted(instance: ApiKey, origin: Any, **_: Any) -> None:
    if isinstance(origin, ApiKey) or getattr(origin, "model", None) is ApiKey:
        publish_ending(instance.user_id, instance.credential, "An API key was deleted.")
