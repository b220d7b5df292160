"""What is worth an entry, as far as signals tell it: sign-ins and their ends, keys, the admin."""

import json
from collections.abc import Iterable
from typing import Any

from django.contrib.admin.models import ADDITION, CHANGE, DELETION, LogEntry, LogEntryManager
from django.contrib.auth import SESSION_KEY, get_user_model
from django.contrib.auth.signals import user_logged_in, user_login_failed
from django.contrib.sessions.models import Session
from django.db import transaction
from django.db.models.signals import post_delete, post_save, pre_delete
from django.dispatch import receiver
from django.utils import timezone

from realtime.audit.acting import acting
from realtime.audit.recording import record, record_acting
from realtime.log.locks import own_transaction
from realtime.models import ApiKey
from realtime.protocol.streams import user_stream
from realtime.security.identity import session_credential

_ADMIN = {ADDITION: "admin_addition", CHANGE: "admin_change", DELETION: "admin_deletion"}


@receiver(user_logged_in)
@transaction.atomic
def signed_in(user: Any, **_: Any) -> None:
    """Before the session is stored: no sign-in is without its entry."""
    record("sign_in", actor=user.pk, target=user_stream(user.pk), result="done")


@receiver(user_login_failed)
@transaction.atomic
def sign_in_failed(credentials: dict[str, Any], **_: Any) -> None:
    """A name that is nobody's is not kept: people type passwords into the wrong field."""
    model: Any = get_user_model()
    name = credentials.get(model.USERNAME_FIELD) or credentials.get("username")
    known = None
    if isinstance(name, str) and "\0" not in name:
        known = model._default_manager.filter(**{model.USERNAME_FIELD: name}).first()  # noqa: SLF001
    target = user_stream(known.pk) if known is not None else "unknown account"
    details = {"name": known.get_username()} if known is not None else {}
    record("sign_in", actor=None, target=target, result="refused", details=details)


@receiver(pre_delete, sender=Session)
def session_ended(instance: Session, **_: Any) -> None:
    """Signing out, or a sign-in or new password that replaces it. An expired one ended before."""
    user_id = instance.get_decoded().get(SESSION_KEY)
    if user_id is not None and instance.expire_date > timezone.now():
        actor = acting().actor or int(user_id)
        details = {"session": session_credential(instance.session_key)}
        target = user_stream(int(user_id))
        record("sign_out", actor=actor, target=target, result="done", details=details)


@receiver(post_save, sender=ApiKey)
def key_saved(instance: ApiKey, created: bool, raw: bool = False, **_: Any) -> None:
    if raw:
        return
    ended = "api_key_changed" if instance.valid else "api_key_revoked"
    record_acting("api_key_made" if created else ended, **_of_key(instance))


@receiver(post_delete, sender=ApiKey)
def key_deleted(instance: ApiKey, **_: Any) -> None:
    record_acting("api_key_deleted", **_of_key(instance))


def _of_key(key: ApiKey) -> dict[str, Any]:
    details = {"user": key.user_id, "name": key.name, "prefix": key.prefix}
    return {"target": key.credential, "details": details}


@receiver(post_save, sender=LogEntry)
def admin_changed(instance: LogEntry, created: bool, raw: bool = False, **_: Any) -> None:
    if created and not raw:
        with own_transaction():
            _record_change(instance)


def _record_change(entry: LogEntry) -> None:
    kind = entry.content_type
    model = f"{kind.app_label}.{kind.model}" if kind is not None else "?"
    details = {"object": entry.object_repr, "changed": _changed(entry.change_message)}
    record(
        _ADMIN.get(entry.action_flag, "admin_action"),
        actor=entry.user_id,
        target=f"{model}.{entry.object_id}",
        result="done",
        details=details,
    )


def _changed(message: str) -> Any:
    """Names of fields, never their values: that is all that Django notes."""
    try:
        return json.loads(message) if message else []
    except ValueError:
        return message


_bulk_create = LogEntryManager.bulk_create


def _bulk_recorded(manager: Any, objs: Iterable[LogEntry], *args: Any, **kwargs: Any) -> Any:
    """As Django's, which writes the entries of a deleted selection without any signal.

    In its place on Django's manager: another manager would be a migration of the admin's own app.
    """
    with own_transaction():
        made = _bulk_create(manager, objs, *args, **kwargs)
        for entry in made:
            _record_change(entry)
    return made


LogEntryManager.bulk_create = _bulk_recorded  # type: ignore[method-assign, assignment]
