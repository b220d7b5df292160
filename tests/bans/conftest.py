"""An operator, somebody to ban, and a table of addresses that no other test has filled."""

from collections.abc import Iterator

import pytest

from chat.models import User
from realtime.bans import networks
from tests.security.conftest import staged  # noqa: F401 - a fixture


@pytest.fixture
def root(db: None) -> User:
    user: User = User.objects.create_superuser("root", password="root")
    return user


@pytest.fixture
def ada(db: None) -> User:
    user: User = User.objects.create_user("ada", password="right")
    return user


@pytest.fixture(autouse=True)
def table(monkeypatch: pytest.MonkeyPatch) -> Iterator[networks.Table]:
    """As in a process that has just begun; left so for the tests behind."""
    networks.table.__init__()  # type: ignore[misc]
    yield networks.table
    networks.table.__init__()  # type: ignore[misc]
