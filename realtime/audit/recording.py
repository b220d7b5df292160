"""Recording: the one door to the audit log.

`record` belongs to the transaction of what it records: both are there, or neither. `record_nowait`
is for refusals, which change nothing: they are gathered, joined and written once a second
(`realtime.audit.gathering`).
"""

from typing import Any

from django.contrib.auth import get_user_model
from django.db import connection
from django.utils import timezone

from realtime.audit.acting import acting
from realtime.audit.chaining import chain
from realtime.audit.gathering import gather
from realtime.audit.hashing import Content, canonical_json
from realtime.backends.last import ask_last, asked_last, write_last
from realtime.log.locks import require_transaction

MAX_DETAILS_CHARS = 4_000


def record(
    action: str,
    *,
    actor: int | None,
    target: str,
    result: str,
    address: str | None = None,
    details: dict[str, Any] | None = None,
) -> None:
    """Add an entry to the caller's transaction; it joins the chain directly before the commit.

    action: what was done, such as "membership_removed" (48 characters); actor: an account's id,
    None for the system or a stranger; target: on what, such as "project.42" (200); result: "done",
    "refused" or a code; address: of the network, taken from the present request if not given;
    details: JSON values, 4,000 characters of them, and never a credential.
    Raises OutsideTransaction. A test whose transaction never commits calls `write_recorded`.
    """
    require_transaction()
    content = Content(
        at=timezone.now(),
        action=_printable(action, 48),
        actor=actor,
        actor_name=_name_of(actor),
        target=_printable(target, 200),
        result=_printable(result, 48),
        address=_printable(found, 64) if (found := address or acting().address) else None,
        details=_as_text(details or {}),
    )
    ask_last(chain, content)


def record_acting(
    action: str, *, target: str, result: str = "done", details: dict[str, Any] | None = None
) -> None:
    """As `record`, by the person whose request this is, or else by the system."""
    record(action, actor=acting().actor, target=target, result=result, details=details)


def record_nowait(
    action: str,
    *,
    actor: int | None,
    target: str,
    result: str,
    address: str | None = None,
    details: dict[str, Any] | None = None,
) -> None:
    """Note a refusal, in a serving process; never waits, never raises.

    Written within a second or so, equal ones as one entry with their number (`times`). Of more
    than 50 different ones in a second the rest is only counted; a process that is killed takes
    its last second along.
    """
    gather(
        (
            _printable(action, 48),
            actor,
            _printable(target, 200),
            _printable(result, 48),
            _printable(address, 64) if address else None,
            _as_text(details or {}),
        )
    )


def write_recorded() -> None:
    """Write what waits for the commit now; for tests alone, which roll everything back."""
    require_transaction()
    write_last(connection)


def _name_of(actor: int | None) -> str:
    """As of now: the account may be what is deleted."""
    if actor is None:
        return ""
    for waiting in asked_last(chain):
        if waiting.actor == actor:
            return str(waiting.actor_name)
    model: Any = get_user_model()
    found = model._default_manager.filter(pk=actor).values_list(model.USERNAME_FIELD)  # noqa: SLF001
    names = [name for (name,) in found]
    return _printable(names[0], 150) if names else ""


def _printable(text: str, limit: int) -> str:
    """PostgreSQL takes no NUL, and nobody reads control characters."""
    return "".join(one if one.isprintable() else "\ufffd" for one in text[:limit])


def _as_text(details: dict[str, Any]) -> str:
    text = canonical_json(details)
    if len(text) <= MAX_DETAILS_CHARS:
        return text
    return canonical_json({"cut": text[: MAX_DETAILS_CHARS // 2]})
