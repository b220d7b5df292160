"""Bulk writes: each announces every row, or is refused with the alternative named."""

from collections.abc import Callable
from typing import Any

import pytest
from django.core import serializers
from django.db import transaction
from django.db.models import F

from chat.models import Membership, Memory, MemoryDependency, Message, Project, User
from realtime.log.logged import SilentWrite
from tests.log.conftest import Announced
from tests.log.world import World, frames, head, own_stream, together, types

pytestmark = pytest.mark.django_db


def three(world: World) -> list[Message]:
    made: list[Message] = Message.objects.bulk_create([world.message(f"m{n}") for n in range(3)])
    return made


def test_bulk_create_announces_each(
    world: World, announced: Announced, django_capture_on_commit_callbacks: Any
) -> None:
    """In the order given, as one hint."""
    before = head(world.stream)
    with django_capture_on_commit_callbacks(execute=True):
        rows = three(world)
    stored = frames(world.stream, before)
    assert [frame["type"] for frame in stored] == ["new_message"] * 3
    assert [frame["data"]["message"]["id"] for frame in stored] == [row.pk for row in rows]
    assert [len(entries) for _, _, entries in announced] == [3]


def test_bulk_update_announces_the_stored_rows(world: World) -> None:
    """Also of fields that the rows in memory did not know."""
    rows = three(world)
    Message.objects.filter(pk=rows[0].pk).update(body="elsewhere")
    before = head(world.stream)
    for row in rows:
        row.edited_at = row.created_at
    assert Message.objects.bulk_update(rows, ["edited_at"]) == 3
    stored = [frame["data"]["message"] for frame in frames(world.stream, before)]
    assert [one["body"] for one in stored] == ["elsewhere", "m1", "m2"]
    assert all(one["edited_at"] for one in stored)


def test_update_announces_the_rows_that_it_changed(world: World) -> None:
    """Expressions included; rows that do not match are left alone."""
    for number in range(4):
        world.memory(f"f{number}", importance=number / 10).save()
    before = head(world.stream)
    changed = Memory.objects.filter(importance__gte=0.2).update(importance=F("importance") + 0.5)
    assert changed == 2
    stored = [frame["data"]["memory"] for frame in frames(world.stream, before)]
    assert [(one["title"], one["importance"]) for one in stored] == [("f2", 0.7), ("f3", 0.8)]


def test_update_through_a_relation_announces(world: World) -> None:
    """`project.messages` writes with the same queryset."""
    three(world)
    before = head(world.stream)
    world.project.messages.update(body="same")
    assert types(world.stream, before) == ["message_updated"] * 3


def test_delete_announces_and_blanks_each(world: World) -> None:
    """As if each had been deleted by itself."""
    three(world)
    before = head(world.stream)
    Message.objects.filter(body__in=["m0", "m2"]).delete()
    assert types(world.stream, before) == ["message_deleted"] * 2
    bodies = [
        frame["data"]["message"]["body"]
        for frame in frames(world.stream)
        if frame["type"] == "new_message"
    ]
    assert bodies == ["", "m1", ""]


@pytest.mark.parametrize(
    "write",
    [
        lambda world: Message.objects.bulk_create([world.message()], ignore_conflicts=True),
        lambda world: Message.objects.bulk_create([world.message()], None, True),
        lambda world: Message.objects.bulk_create(
            [world.message()],
            update_conflicts=True,
            unique_fields=["author", "client_ref"],
            update_fields=["body"],
        ),
        lambda world: Message.objects.all()._raw_delete("default"),
    ],
    ids=["ignore_conflicts", "positional", "update_conflicts", "raw_delete"],
)
def test_writes_that_cannot_name_their_rows_are_refused(
    world: World, write: Callable[[World], Any]
) -> None:
    """An error that says what to do instead, and nothing written. Bug: given by position,
    ignore_conflicts went through."""
    before = head(world.stream)
    with pytest.raises(SilentWrite, match="expected"):
        write(world)
    assert not Message.objects.exists()
    assert head(world.stream) == before


def test_sliced_update_is_refused_as_in_django(world: World) -> None:
    """A slice cannot be matched again under the lock."""
    three(world)
    with pytest.raises(TypeError, match="slice"):
        Message.objects.order_by("pk")[:1].update(body="x")
    assert Message.objects.filter(body="x").count() == 0


@pytest.mark.django_db(transaction=True)
def test_conditional_update_is_won_once(world: World) -> None:
    """Bug: rows were matched before the lock only, so that two updates from the same state both
    counted the row."""
    world.message("queued").save()

    def claim(body: str) -> Callable[[], int]:
        return lambda: int(Message.objects.filter(body="queued").update(body=body))

    for _ in range(5):
        Message.objects.update(body="queued")
        assert sorted(together(claim("a"), claim("b"), claim("c"))) == [0, 0, 1]


def test_many_to_many_announces(world: World) -> None:
    """`members.add`, `remove` and `clear` go through the membership's own queryset."""
    carl: User = User.objects.create_user("carl")
    before, own = head(world.stream), head(own_stream(carl))
    world.project.members.add(carl)
    world.project.members.remove(carl)
    assert types(world.stream, before) == ["project_joined", "project_left"]
    assert types(own_stream(carl), own) == ["project_joined", "project_left"]
    world.project.members.clear()
    assert types(world.stream, before)[2:] == ["project_left"] * 2


def test_get_or_create_and_update_or_create_announce(world: World) -> None:
    """They save rows one by one."""
    before = head(world.stream)
    for title in ("one", "two"):
        Memory.objects.update_or_create(
            project=world.project, reference="r", defaults={"title": title}
        )
    Memory.objects.get_or_create(project=world.project, reference="r")
    assert types(world.stream, before) == ["memory_stored", "memory_updated"]


def test_raw_fixture_publishes_nothing(world: World) -> None:
    """`loaddata` brings history, not news; the streams that it needs are there all the same."""
    rows = [*User.objects.all(), *Project.objects.all(), *Membership.objects.all(), *three(world)]
    text = serializers.serialize("json", rows)
    before = {name: head(name) for name in (world.stream, own_stream(world.ada))}
    with transaction.atomic():
        for loaded in serializers.deserialize("json", text):
            loaded.save()
    assert {name: head(name) for name in before} == before


def test_cascade_of_a_memory_tells_of_its_dependencies(world: World) -> None:
    """What depended on it depends on it no more."""
    base, top = world.memory("base"), world.memory("top")
    base.save()
    top.save()
    MemoryDependency(memory=top, depends_on=base).save()
    before, gone = head(world.stream), base.pk
    base.delete()
    stored = frames(world.stream, before)
    assert [frame["type"] for frame in stored] == ["dependency_updated", "memory_deleted"]
    assert stored[0]["data"] == {"memory": top.pk, "depends_on": [], "because": gone}


def test_cascade_of_a_session_deletes_its_messages_for_clients(world: World) -> None:
    """Each message that goes down with it is told of."""
    three(world)
    before = head(world.stream)
    world.session.delete()
    assert types(world.stream, before) == ["message_deleted"] * 3


def test_cascade_of_a_project_is_one_event_per_reader(world: World) -> None:
    """The project's own stream ends, each member's tells of it; its rows go without a word."""
    three(world)
    world.memory().save()
    before = head(world.stream)
    own = [head(own_stream(user)) for user in (world.ada, world.bob)]
    name = world.stream
    world.project.delete()
    assert types(name, before) == ["project_deleted"]
    for user, known in zip((world.ada, world.bob), own, strict=True):
        assert types(own_stream(user), known) == ["project_deleted"]


def test_cascade_of_an_account_ends_its_memberships_and_sign_ins(world: World) -> None:
    """Bug: a deleted account's sockets were told nothing and went on reading."""
    name = own_stream(world.bob)
    before = head(world.stream)
    world.bob.delete()
    assert types(world.stream, before) == ["project_left"]
    last = frames(name)[-1]
    assert (last["type"], last["data"]["kind"]) == ("system_notification", "credentials_ended")


def test_accounts_made_in_bulk_have_their_streams(installation: None) -> None:
    """Bug: only `User.save` made the stream, so these accounts could not connect."""
    made = User.objects.bulk_create([User(username="carl"), User(username="dora")])
    assert [head(own_stream(user)) for user in made] == [0, 0]
