"""What somebody is told whose account is banned.

Nothing is asked while people are let in: a banned account is not active, which every reading of
credentials sees in the row that it reads anyway. Only who is refused for that costs a query more.
"""

from typing import Any

from realtime.models import Ban
from realtime.protocol.codes import ErrorCode
from realtime.protocol.errors import Unauthorized


class Banned(Unauthorized):
    """Known, and kept out: other credentials do not help. 403, and 4403 on sockets."""

    code = ErrorCode.FORBIDDEN
    status = 403

    def __init__(self, ban: Ban) -> None:
        self.lasting = lasting(ban)
        super().__init__(f"expected an account that is not banned, got one that is {self.lasting}")
        self.user_id = ban.user_id


def lasting(ban: Ban) -> str:
    """`banned for good`, or `banned until 2026-01-01 12:00 UTC`. The reason is the operators'."""
    until = ban.until
    return f"banned until {until:%Y-%m-%d %H:%M} UTC" if until is not None else "banned for good"


def ban_of(user_id: Any) -> Ban | None:
    """The one that keeps the person out now. Synchronous."""
    return Ban.objects.filter(user=user_id, ended_at=None).first()


def refusal_of(user: Any, otherwise: str) -> Unauthorized:
    """For credentials that are refused: Banned, if an inactive account is the cause and a ban is
    that of it. `user` may be None."""
    ban = ban_of(user.pk) if user is not None and not user.is_active else None
    return Unauthorized(otherwise) if ban is None else Banned(ban)


def banned_with_password(name: str, password: str) -> Banned | None:
    """For a sign-in that was refused: who knows the password of a banned account may be told why.

    The password is checked once more, so this is for banned accounts alone.
    """
    from django.contrib.auth import get_user_model

    model: Any = get_user_model()
    if "\0" in name:
        return None
    user = model._default_manager.filter(**{model.USERNAME_FIELD: name}).first()  # noqa: SLF001
    if user is None or user.is_active:
        return None
    ban = ban_of(user.pk)
    return Banned(ban) if ban is not None and user.check_password(password) else None
