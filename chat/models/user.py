"""People. Every person has a stream of their own, `user.<id>`."""

from collections.abc import Iterable
from typing import Any, ClassVar

from django.contrib.auth.models import AbstractUser, UserManager
from django.db import models, transaction

from realtime.log.locks import create_stream, lock_streams
from realtime.log.logged import LoggedModel, LoggedQuerySet
from realtime.people import display_name
from realtime.protocol.streams import project_stream, user_stream
from realtime.security.endings import publish_ending

CREDENTIALS = ("password", "is_active", "is_staff", "is_superuser")


def _refuse_credentials(fields: Iterable[str]) -> None:
    if set(CREDENTIALS) & set(fields):
        raise TypeError(f"expected User.save() for {', '.join(CREDENTIALS)}, got a bulk update")


class UserQuerySet(LoggedQuerySet["User"]):  # type: ignore[override, unused-ignore]
    """Accounts end one by one: a bulk change could not tell whose sign-ins it ended."""

    def update(self, **kwargs: Any) -> int:
        _refuse_credentials(kwargs)
        return models.QuerySet.update(self, **kwargs)

    def bulk_update(
        self, objs: Iterable["User"], fields: Iterable[str], batch_size: int | None = None
    ) -> int:
        names = list(fields)
        _refuse_credentials(names)
        return super().bulk_update(objs, names, batch_size)


class UserObjects(UserManager.from_queryset(UserQuerySet)):  # type: ignore[misc]
    """Django's manager with our queryset; migrations have no use for it."""

    use_in_migrations = False


class User(LoggedModel, AbstractUser):
    """Changing the password or deactivating the account ends every sign-in, in the same commit."""

    objects: ClassVar[Any] = UserObjects()

    class Meta(AbstractUser.Meta):
        pass

    @property
    def display_name(self) -> str:
        return display_name(self)

    def stream_names(self) -> list[str]:
        return [user_stream(self.pk)] if self.pk else []

    def ending_stream_names(self) -> list[str]:
        projects = self.memberships.values_list("project_id", flat=True)
        return [*self.stream_names(), *(project_stream(key) for key in projects)]

    def save(self, *args: Any, **kwargs: Any) -> None:
        with transaction.atomic():
            lock_streams(*self.stream_names())
            before = self._stored_credentials(kwargs.get("update_fields"))
            super().save(*args, **kwargs)
            create_stream(user_stream(self.pk))
            if before is not None and self._ends_sign_ins(before):
                publish_ending(self.pk, user_stream(self.pk), "Your password or account changed.")

    def _ends_sign_ins(self, before: tuple[str, bool, bool, bool]) -> bool:
        """Another password, or less than before: what a socket was let in with holds no more."""
        password, *rights = before
        mine = (self.is_active, self.is_staff, self.is_superuser)
        return password != self.password or any(
            had and not has for had, has in zip(rights, mine, strict=True)
        )

    def _stored_credentials(
        self, written: Iterable[str] | None
    ) -> tuple[str, bool, bool, bool] | None:
        """CREDENTIALS as stored; None for a new row, and when none of them is written."""
        if self.pk is None or (written is not None and not set(CREDENTIALS) & set(written)):
            return None
        stored: tuple[str, bool, bool, bool] | None = (
            User.objects.filter(pk=self.pk).values_list(*CREDENTIALS).first()
        )
        return stored
