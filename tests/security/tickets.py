"""People, what was read of their credentials, and a store of tickets that can be looked at."""

from collections.abc import Awaitable, Callable

from asgiref.sync import async_to_sync

from chat.models import User
from realtime.models import ApiKey
from realtime.security.admission import (
    Credential,
    Way,
    authenticated_together,
)
from realtime.security.identity import Authenticated
from realtime.shared.slips import LocalSlips


def person(name: str = "ada") -> User:
    user: User = User.objects.create_user(name, first_name=name.title())
    return user


def read_of(credential: Credential) -> Authenticated:
    (found,) = authenticated_together([credential])
    assert isinstance(found, Authenticated), found
    return found


def read_by_key(user: User) -> Authenticated:
    return read_of(Credential(Way.KEY, ApiKey.issue(user.pk, "test")[1]))


def run(story: Callable[[], Awaitable[None]]) -> None:
    async_to_sync(story)()


class Kept(LocalSlips):
    """In memory, and to be looked at."""

    @property
    def values(self) -> dict[str, tuple[bytes, float]]:
        return self._kept
