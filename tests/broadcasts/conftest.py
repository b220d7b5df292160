"""Operators, owners and listeners; a broadcast's job run where it stands."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.db import transaction

from chat.models import User
from realtime.broadcasts.publishing import publish_broadcast_now
from realtime.delivery.ranges import Range, Steps
from realtime.delivery.writing import Whose, write
from realtime.log.reading import stream_state
from realtime.models import Broadcast, Event
from tests.api.conftest import ApiClient, Team, owner, person, stranger, team

__all__ = ["owner", "stranger", "team"]  # fixtures of the API's tests


@pytest.fixture
def operator(team: Team) -> User:
    """Staff with the right to speak to everyone."""
    user = person("root", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="broadcast_to_everyone"))
    found: User = User.objects.get(pk=user.pk)
    return found


@pytest.fixture
def console(operator: User) -> ApiClient:
    return ApiClient(operator)


@pytest.fixture
def publish(team: Team) -> Callable[[int], Broadcast]:
    """What the job's effect does, as often as one likes; the row afterwards."""

    def run(broadcast_id: int) -> Broadcast:
        with transaction.atomic():
            publish_broadcast_now(broadcast_id)
        return Broadcast.objects.select_related("stream").get(pk=broadcast_id)

    return run


def path(end: str) -> str:
    return f"/api/websocket/broadcast/{end}"


def frames_of(stream: str, *types: str) -> list[dict[str, Any]]:
    rows = Event.objects.filter(stream__name=stream, type__in=types).order_by("seq")
    return [json.loads(bytes(row.frame)) for row in rows]


def arrive(stream: str, user_id: int, lo: int, hi: int) -> Any:
    """The person's device acknowledges these seqs; what the write says is new."""
    state = stream_state(stream)
    steps = Steps([Range(lo, hi)])
    return write({Whose(state.id, user_id, state.epoch): steps}).arrivals
