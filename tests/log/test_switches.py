"""What an operator switched off: rows are stored, nobody is told."""

from typing import Any

import pytest
from django.conf import settings
from django.db import transaction
from django.test import override_settings

from chat.actions.messages import send_message
from chat.actions.projects import update_project
from chat.models import Memory, Message
from realtime import publisher
from realtime.log.entries import EventDraft
from realtime.log.signalling import signal
from realtime.log.writing import publish
from tests.log.world import World, head, types

pytestmark = pytest.mark.django_db

ALERT = EventDraft("error_occurred", {"code": "x", "text": "something"})


def switched(**values: bool) -> Any:
    return override_settings(PM=settings.PM.model_copy(update=values))


def everything(world: World) -> list[str]:
    """One write of each family; the types of the events that it made."""
    before, status = head(world.stream), head("status")
    send_message(world.ada, world.project.pk, body="hello")
    world.memory().save()
    update_project(world.ada, world.project.pk, name="New")
    with transaction.atomic():
        publish("status", ALERT)
    assert Message.objects.count() == Memory.objects.count() == 1
    return [*types(world.stream, before), *types("status", status)]


@pytest.mark.parametrize(
    ("switch", "silent"),
    [
        ("realtime_chat_broadcasting", "new_message"),
        ("realtime_memory_updates", "memory_stored"),
        ("realtime_status_updates", "error_occurred"),
        (None, None),
    ],
)
def test_family_that_is_switched_off(world: World, switch: str | None, silent: str | None) -> None:
    """Its events are missing, everything else is there."""
    values = {switch: False} if switch else {}
    expected = ["new_message", "memory_stored", "project_updated", "error_occurred"]
    with switched(**values):
        assert everything(world) == [name for name in expected if name != silent]


@pytest.mark.parametrize("on", [True, False])
def test_signals_of_a_family_that_is_switched_off(world: World, on: bool) -> None:
    """They are not sent either."""
    heard: list[bytes] = []
    publisher.attach_local_hub(lambda *_: None, lambda stream, after, frame: heard.append(frame))
    try:
        with switched(realtime_chat_broadcasting=on):
            data = {"user": {"id": 1, "name": "Ada"}}
            signal(world.stream, "typing_indicator", data, after=0)
    finally:
        publisher.detach_local_hub()
    assert len(heard) == (1 if on else 0)
