"""What rests on a memory hears of its changes."""

from typing import Any

import pytest

from chat.actions.memories import delete_memory, store_memory, update_memory
from chat.models import Memory
from tests.api.conftest import Team
from tests.log.world import frames, head

pytestmark = pytest.mark.django_db


def remembered(team: Team, *titles: str) -> list[Memory]:
    return [store_memory(team.owner, team.project.pk, title=title) for title in titles]


def rest(team: Team, memory: Memory, *on: Memory) -> None:
    update_memory(team.owner, memory.pk, depends_on=[one.pk for one in on])


def told(team: Team, after: int) -> list[tuple[int, list[int], int | None]]:
    found: list[dict[str, Any]] = [
        event["data"]
        for event in frames(team.stream, after)
        if event["type"] == "dependency_updated"
    ]
    return [(data["memory"], data["depends_on"], data["because"]) for data in found]


def test_change_reaches_what_rests_on_it_by_others(team: Team) -> None:
    """The nearest first, each once, with what it depends on; what rests on nothing of it is left
    alone."""
    base, wall, roof, tree = remembered(team, "base", "wall", "roof", "tree")
    rest(team, wall, base)
    rest(team, roof, wall, base)
    before = head(team.stream)
    update_memory(team.owner, base.pk, body="moved")
    assert told(team, before) == [
        (wall.pk, [base.pk], base.pk),
        (roof.pk, [base.pk, wall.pk], base.pk),
    ]
    before = head(team.stream)
    update_memory(team.owner, tree.pk, body="grown")
    assert told(team, before) == []


def test_circle_is_told_once(team: Team) -> None:
    """Each of it but the one that changed; and it ends."""
    first, second, third = remembered(team, "first", "second", "third")
    rest(team, second, first)
    rest(team, third, second)
    rest(team, first, third)
    before = head(team.stream)
    update_memory(team.owner, second.pk, body="changed")
    assert [(key, because) for key, _, because in told(team, before)] == [
        (third.pk, second.pk),
        (first.pk, second.pk),
    ]


def test_deletion_reaches_what_rested_on_it(team: Team) -> None:
    """Once each: directly without it in the list, by others with what they still have."""
    base, wall, roof = remembered(team, "base", "wall", "roof")
    rest(team, wall, base)
    rest(team, roof, wall)
    before = head(team.stream)
    delete_memory(team.owner, base.pk)
    assert sorted(told(team, before)) == sorted(
        [(wall.pk, [], base.pk), (roof.pk, [wall.pk], base.pk)]
    )


def test_deleted_circle_tells_nobody_that_is_gone(team: Team) -> None:
    """Two that rest on each other, deleted together."""
    first, second = remembered(team, "first", "second")
    rest(team, second, first)
    rest(team, first, second)
    Memory.objects.filter(project=team.project).delete()
    assert not Memory.objects.exists()


def test_bulk_change_is_told_too(team: Team) -> None:
    """Whoever writes: the receivers tell."""
    base, wall = remembered(team, "base", "wall")
    rest(team, wall, base)
    before = head(team.stream)
    Memory.objects.filter(pk=base.pk).update(importance=0.9)
    assert told(team, before) == [(wall.pk, [base.pk], base.pk)]
