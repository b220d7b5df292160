"""A superuser at the admin, and a project to look at."""

import pytest
from django.test import Client

from chat.actions.projects import create_project, set_member
from chat.models import Project, User
from realtime.models import Event, Stream


@pytest.fixture
def operator(db: None) -> User:
    user: User = User.objects.create_superuser("root", password="root-password")
    return user


@pytest.fixture
def admin(operator: User) -> Client:
    client = Client()
    client.force_login(operator)
    return client


@pytest.fixture
def ada(db: None) -> User:
    user: User = User.objects.create_user("ada", password="ada-password")
    return user


@pytest.fixture
def project(ada: User, operator: User) -> Project:
    row = create_project(ada, name="Apollo")
    set_member(ada, row.pk, user_id=operator.pk, role="viewer")
    return row


def event_types(stream: str, after: int = 0) -> list[str]:
    """Types of the stream's events after a seq, in order."""
    rows = Event.objects.filter(stream__name=stream, seq__gt=after).order_by("seq")
    return list(rows.values_list("type", flat=True))


def head(stream: str) -> int:
    return int(Stream.objects.get(name=stream).head)
