"""What ties a row to its streams stays: whoever moves it is told so, and nothing is written."""

from collections.abc import Callable
from typing import Any

import pytest
from django.forms.models import model_to_dict

from chat.actions.projects import create_project
from chat.models import Membership, Memory, MemoryDependency, Message, Project, User
from realtime.log.logged import SilentWrite
from tests.log.world import World, frames, head, own_stream, types

pytestmark = pytest.mark.django_db


@pytest.fixture
def other(world: World) -> Project:
    """Another project of Ada's."""
    return create_project(world.ada, name="Gemini")


def moved(row: Any, **changes: Any) -> Any:
    for name, value in changes.items():
        setattr(row, name, value)
    return row


Move = Callable[[World, Project], Any]
MOVES: dict[str, Move] = {
    "message_save": lambda w, p: moved(Message.objects.get(), project=p).save(),
    "message_save_id": lambda w, p: moved(Message.objects.get(), project_id=p.pk).save(),
    "message_save_field": lambda w, p: moved(Message.objects.get(), project=p).save(
        update_fields=["body"]
    ),
    "message_of_a_known_key": lambda w, p: Message(
        **{**fields_of(Message.objects.get()), "project_id": p.pk}
    ).save(),
    "message_update": lambda w, p: Message.objects.update(project=p),
    "message_update_id": lambda w, p: Message.objects.update(project_id=p.pk),
    "message_bulk_update": lambda w, p: Message.objects.bulk_update(
        [moved(Message.objects.get(), project=p)], ["project"]
    ),
    "message_bulk_update_of_another_field": lambda w, p: Message.objects.bulk_update(
        [moved(Message.objects.get(), project=p)], ["body"]
    ),
    "message_added_to_a_relation": lambda w, p: p.messages.add(Message.objects.get()),
    "memory_save": lambda w, p: moved(Memory.objects.first(), project=p).save(),
    "memory_update": lambda w, p: Memory.objects.update(project=p),
    "memory_added_to_a_relation": lambda w, p: p.memories.add(Memory.objects.get(title="third")),
    "session_update": lambda w, p: w.project.sessions.update(project=p),
    "member_save": lambda w, p: moved(Membership.objects.get(user=w.bob), user=eve()).save(),
    "member_save_project": lambda w, p: moved(Membership.objects.get(user=w.bob), project=p).save(),
    "member_update": lambda w, p: Membership.objects.filter(user=w.bob).update(user=eve()),
    "dependency_save": lambda w, p: moved(
        MemoryDependency.objects.get(), memory=Memory.objects.get(title="third")
    ).save(),
    "dependency_update": lambda w, p: MemoryDependency.objects.update(
        memory=Memory.objects.get(title="third")
    ),
}


def eve() -> User:
    found: User = User.objects.get(username="eve")
    return found


def fields_of(row: Any) -> dict[str, Any]:
    return {field.attname: getattr(row, field.attname) for field in row._meta.concrete_fields}


@pytest.mark.parametrize("move", MOVES.values(), ids=MOVES)
def test_row_that_moves_is_refused(world: World, other: Project, move: Move) -> None:
    """Bug: the row appeared in one stream and never left the other: Bob's live subscription went
    on reading after his membership had become Eve's, and messages changed rooms unseen."""
    User.objects.create_user("eve")
    world.message().save()
    rows = [world.memory(title) for title in ("first", "second", "third")]
    for row in rows:
        row.save()
    MemoryDependency(memory=rows[0], depends_on=rows[1]).save()
    models = (Message, Memory, Membership, MemoryDependency)
    stored = [model_to_dict(row) for model in models for row in model.objects.order_by("pk")]
    names = [world.stream, f"project.{other.pk}", own_stream(world.bob), own_stream(eve())]
    heads = [head(name) for name in names]
    with pytest.raises(SilentWrite, match="to stay"):
        move(world, other)
    assert stored == [
        model_to_dict(row) for model in models for row in model.objects.order_by("pk")
    ]
    assert heads == [head(name) for name in names]


def test_row_that_stays_is_saved_by_every_way(world: World) -> None:
    """The refusal is of a move, not of a save that names the same project."""
    world.message("before").save()
    before = head(world.stream)
    message = Message.objects.get()
    message.project = Project.objects.get(pk=world.project.pk)
    message.save()
    message.save(update_fields=["body", "project"])
    Message.objects.bulk_update([message], ["body"])
    Message.objects.update_or_create(pk=message.pk, defaults={"project": world.project})
    assert types(world.stream, before) == ["message_updated"] * 4


def test_reply_added_to_a_relation_is_announced(world: World) -> None:
    """Bug: `add` of a reverse relation wrote through Django's own manager, silently."""
    first, second = world.message("first"), world.message("second")
    first.save()
    second.save()
    before = head(world.stream)
    first.replies.add(second)
    [event] = frames(world.stream, before)
    assert event["data"]["message"]["reply_to"] == first.pk


def test_projects_in_bulk_are_refused(world: World) -> None:
    """Bug: they were made without owner and conversation, so that nobody could ever see them."""
    with pytest.raises(SilentWrite, match="one by one"):
        Project.objects.bulk_create([Project(name="x", created_by=world.ada)])
    assert Project.objects.count() == 1
