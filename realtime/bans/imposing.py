"""Imposing and ending bans: rows, accounts, entries of the audit log, all in one transaction.

A person's ban deactivates the account, so whatever Django, its backends and this project refuse to
inactive accounts is refused, and the same commit ends the sockets. Ending it activates the account
again, if it was active; its sessions and keys go on then. Synchronous.
"""

from datetime import datetime
from typing import Any

from django.contrib.auth import get_user_model
from django.db import IntegrityError, transaction
from django.utils import timezone

from realtime.audit.recording import record
from realtime.bans.networks import MAX_NETWORKS, address_of, network_of
from realtime.bans.refusing import lasting
from realtime.fleet.operations import tell_bans
from realtime.log.locks import lock_streams
from realtime.models import Ban
from realtime.protocol.errors import BadRequest, Conflict, Forbidden, LimitReached, NotFound
from realtime.protocol.streams import user_stream
from realtime.retrying import retried
from realtime.security.endings import ACCOUNT_BANNED, publish_ending

RIGHT = "realtime.add_ban"
RIGHT_TO_END = "realtime.change_ban"


def ban_person(actor: Any, user_id: int, *, reason: str, until: datetime | None) -> Ban:
    """Keep the person out, with every credential, from this commit on.

    Raises Forbidden (no right, oneself, a superuser by somebody else), NotFound, Conflict (banned
    already), BadRequest, Unavailable.
    """
    _require(actor, RIGHT)
    reason = _checked(reason, until)
    return _ban_person(actor, user_id, reason, until)


@retried
@transaction.atomic
def _ban_person(actor: Any, user_id: int, reason: str, until: datetime | None) -> Ban:
    stream = user_stream(user_id)
    lock_streams(stream)
    model: Any = get_user_model()
    user = model._default_manager.filter(pk=user_id).first()  # noqa: SLF001
    if user is None:
        raise NotFound(f"user: expected somebody's account, got {user_id}")
    if user.pk == actor.pk:
        raise Forbidden("user: expected somebody else, got yourself")
    if user.is_superuser and not actor.is_superuser:
        raise Forbidden("user: expected a superuser to ban a superuser, got somebody else")
    if Ban.objects.filter(user=user, ended_at=None).exists():
        raise Conflict("user: expected somebody who is not banned yet, got one who is")
    ban = Ban(user=user, reason=reason, until=until, made_by=actor, deactivated=user.is_active)
    ban.save()
    if user.is_active:
        text = f"Your account is {lasting(ban)}."
        publish_ending(user.pk, stream, text, kind=ACCOUNT_BANNED)
        user.is_active = False
        user.save(update_fields=["is_active"])
    _made(actor, ban)
    return ban


def ban_network(
    actor: Any, network: str, *, reason: str, until: datetime | None, own_address: str | None
) -> Ban:
    """Keep an address or a network out: its sockets are closed, and nothing from there is answered.

    own_address: that of the actor, which must not be in it. Raises Forbidden, BadRequest, Conflict,
    LimitReached, Unavailable.
    """
    _require(actor, RIGHT)
    reason = _checked(reason, until)
    found = network_of(network)
    own = address_of(own_address)
    if own is not None and own in found:
        raise BadRequest(f"network: expected one without your own address, got {found}")
    return _ban_network(actor, str(found), reason, until)


@retried
def _ban_network(actor: Any, network: str, reason: str, until: datetime | None) -> Ban:
    try:
        with transaction.atomic():
            if Ban.objects.filter(network__isnull=False, ended_at=None).count() >= MAX_NETWORKS:
                raise LimitReached(f"network: expected at most {MAX_NETWORKS} bans at a time")
            ban = Ban(network=network, reason=reason, until=until, made_by=actor)
            ban.save()
            _made(actor, ban)
            return ban
    except IntegrityError as error:
        raise Conflict("network: expected one that is not banned yet, got one that is") from error


def lift_ban(actor: Any, ban_id: int) -> Ban:
    """End it now; one that has ended stays as it is. Raises Forbidden, NotFound, Unavailable."""
    _require(actor, RIGHT_TO_END)
    return _lift(actor, ban_id)


@retried
@transaction.atomic
def _lift(actor: Any, ban_id: int) -> Ban:
    return _end(ban_id, "ban_lifted", actor.pk)


def expire_ban(ban_id: int) -> None:
    """Its time is over. The caller holds a transaction."""
    _end(ban_id, "ban_expired", None)


def end_by_activation(user: Any) -> None:
    """Somebody has activated a banned account: that ends its ban. Runs in that transaction."""
    for ban in Ban.objects.select_for_update().filter(user=user, ended_at=None):
        from realtime.audit.acting import acting

        _ended(ban, "ban_lifted", acting().actor)


def _end(ban_id: int, action: str, actor: int | None) -> Ban:
    """Raises NotFound."""
    found = Ban.objects.filter(pk=ban_id).values_list("user", flat=True)
    if not found:
        raise NotFound(f"expected a ban, got {ban_id}")
    if found[0] is not None:
        lock_streams(user_stream(found[0]))
    ban = Ban.objects.select_for_update().get(pk=ban_id)
    if ban.ended_at is None:
        _ended(ban, action, actor)
        if ban.deactivated:
            model: Any = get_user_model()
            user = model._default_manager.get(pk=ban.user_id)  # noqa: SLF001
            user.is_active = True
            user.save(update_fields=["is_active"])
    return ban


def _require(actor: Any, right: str) -> None:
    if not actor.has_perm(right):
        raise Forbidden(f"expected the permission {right}, got none")


def _checked(reason: str, until: datetime | None) -> str:
    reason = reason.strip()
    longest = Ban._meta.get_field("reason").max_length or 0  # noqa: SLF001
    if not 1 <= len(reason) <= longest:
        raise BadRequest(f"reason: expected 1 to {longest} characters, got {len(reason)}")
    if until is not None and until <= timezone.now():
        raise BadRequest(f"until: expected a moment to come, got {until.isoformat()}")
    return reason


def _made(actor: Any, ban: Ban) -> None:
    until = ban.until.isoformat() if ban.until is not None else None
    details = {"ban": ban.pk, "reason": ban.reason, "until": until}
    record("ban_made", actor=actor.pk, target=ban.target, result="done", details=details)
    if ban.until is not None:
        from realtime.bans.jobs import end_ban  # it imports this module

        end_ban.using(run_after=ban.until).enqueue(ban=ban.pk)
    _tell(ban)


def _ended(ban: Ban, action: str, actor: int | None) -> None:
    ban.ended_at = timezone.now()
    ban.save(update_fields=["ended_at"])
    record(action, actor=actor, target=ban.target, result="done", details={"ban": ban.pk})
    _tell(ban)


def _tell(ban: Ban) -> None:
    """Nodes keep addresses in mind; of people the log tells them."""
    if ban.network is not None:
        transaction.on_commit(tell_bans, robust=True)
