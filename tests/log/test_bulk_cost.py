"""What a write of many rows costs: as many queries as one of few, and no event twice."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from chat.actions.memories import store_memory, update_memory
from chat.models import Membership, Memory, MemoryDependency, Message, User
from tests.log.world import World, frames, head, types

pytestmark = pytest.mark.django_db


def cost(write: Callable[[], Any]) -> int:
    with CaptureQueriesContext(connection) as queries:
        write()
    return len(queries)


def memories(world: World, count: int) -> list[int]:
    rows = Memory.objects.bulk_create([world.memory(f"f{n}") for n in range(count)])
    return [row.pk for row in rows]


def test_storing_with_many_dependencies_is_two_events(world: World) -> None:
    """Bug: 100 dependencies made 101 events, each with a longer list, by 611 queries."""
    few, many = memories(world, 2), memories(world, 40)
    before = head(world.stream)

    def store(ids: list[int]) -> Memory:
        row: Memory = store_memory(world.ada, world.project.pk, title="top", depends_on=ids)
        return row

    cheap = cost(lambda: store(few))
    assert types(world.stream, before) == ["memory_stored", "dependency_updated"]
    assert cost(lambda: store(many)) == cheap
    stored, updated = frames(world.stream, before)[2:]
    assert updated["data"]["memory"] == stored["data"]["memory"]["id"]
    assert updated["data"]["depends_on"] == many
    rows = MemoryDependency.objects.filter(memory_id=updated["data"]["memory"])
    assert sorted(rows.values_list("depends_on_id", flat=True)) == many


def test_changing_dependencies_is_one_event_of_them(world: World) -> None:
    """Some go, some stay, some are new; `memory_updated` has them already."""
    ids = memories(world, 30)
    top = store_memory(world.ada, world.project.pk, title="top", depends_on=ids[:20])
    before = head(world.stream)
    update_memory(world.ada, top.pk, title="new", depends_on=ids[10:])
    told, changed = frames(world.stream, before)
    assert (told["type"], changed["type"]) == ("dependency_updated", "memory_updated")
    assert told["data"]["depends_on"] == changed["data"]["memory"]["depends_on"] == ids[10:]
    before = head(world.stream)
    update_memory(world.ada, top.pk, depends_on=ids[10:])
    assert types(world.stream, before) == ["memory_updated"]
    update_memory(world.ada, top.pk, depends_on=[])
    assert frames(world.stream, before)[1]["data"]["depends_on"] == []


def test_dependencies_in_bulk_are_one_event_per_memory(world: World) -> None:
    """Each event has the whole list, so one tells of all rows of its memory."""
    first, second, *others = memories(world, 12)
    before = head(world.stream)
    MemoryDependency.objects.bulk_create(
        MemoryDependency(memory_id=top, depends_on_id=key)
        for key in others
        for top in (first, second)
    )
    told = [frame["data"] for frame in frames(world.stream, before)]
    assert told == [
        {"memory": top, "depends_on": others, "because": None} for top in (first, second)
    ]


def test_deleted_memory_does_not_tell_of_its_own_dependencies(world: World) -> None:
    """Bug: an event for each of them, of a memory that the next event took away."""
    ids = memories(world, 5)
    top = store_memory(world.ada, world.project.pk, title="top", depends_on=ids)
    before = head(world.stream)
    top.delete()
    assert types(world.stream, before) == ["memory_deleted"]


def test_bulk_updates_read_what_their_events_show_at_once(world: World) -> None:
    """Bug: the author of each message, the dependencies of each memory and the person of each
    membership were read one by one."""
    people = [User.objects.create_user(f"u{n}") for n in range(8)]
    ids = memories(world, 8)
    for person, key in zip(people, ids, strict=True):
        Membership(project=world.project, user=person).save()
        world.message(author=person).save()
        store_memory(world.ada, world.project.pk, title="t", depends_on=[key])
    messages = Message.objects.order_by("pk")
    tops = Memory.objects.filter(title="t").order_by("pk")
    joined = Membership.objects.filter(user__in=people).order_by("user_id")

    def updated(rows: Any, count: int, **change: Any) -> int:
        keys = list(rows.values_list("pk", flat=True)[:count])
        return cost(lambda: rows.model.objects.filter(pk__in=keys).update(**change))

    def updated_in_bulk(rows: Any, count: int, **change: Any) -> int:
        given = list(rows[:count])
        return cost(lambda: rows.model.objects.bulk_update(given, list(change)))

    moment = people[0].date_joined
    for costs in (updated, updated_in_bulk):
        for rows in (messages, tops):
            assert costs(rows, 2, created_at=moment) == costs(rows, 8, created_at=moment)
        few, many = (costs(joined, count, role="viewer") for count in (2, 8))
        # One statement does both on PostgreSQL.
        each = 1 if connection.vendor == "postgresql" else 2
        assert many - few == 6 * each, "expected each person's own stream to be moved and written"


def test_bulk_creation_costs_the_same_at_any_size(world: World) -> None:
    """Bug: for each new memory its dependencies were read, which cannot exist yet."""
    few, many = (cost(lambda n=n: memories(world, n)) for n in (2, 20))  # type: ignore[misc]
    assert few == many
