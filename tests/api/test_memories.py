"""Memories by the API."""

import pytest
from pytest_django import DjangoAssertNumQueries

from chat.actions.memories import store_memory
from chat.models import Memory
from tests.api.conftest import ApiClient, Team, assert_problem

pytestmark = pytest.mark.django_db


def test_memory_is_stored_changed_and_deleted(team: Team, member: ApiClient) -> None:
    """Each step is an event, and only the given fields change."""
    path = f"{team.path}memories/"
    base = member.post(path, {"title": "base"}).json()
    fields = {
        "title": "deadline",
        "kind": "decision",
        "body": "Friday",
        "importance": 0.9,
        "pinned": True,
        "reference": "ticket-1",
        "depends_on": [base["id"]],
        "expires_at": "2030-01-01T00:00:00+02:00",
    }
    stored = member.post(path, fields)
    assert stored.status_code == 201
    row = stored.json()
    assert {name: row[name] for name in fields} == {
        **fields,
        "expires_at": "2029-12-31T22:00:00.000Z",
    }
    own = f"{path}{row['id']}/"
    assert member.get(own).json() == row
    changed = member.patch(own, {"body": "Monday", "depends_on": []}).json()
    assert changed == {
        **row,
        "body": "Monday",
        "depends_on": [],
        "updated_at": changed["updated_at"],
    }
    assert member.patch(own, {"expires_at": None}).json()["expires_at"] is None
    assert_problem(member.patch(own, {"title": None}), 400, "bad_request")
    assert member.delete(own).status_code == 204
    assert_problem(member.get(own), 404, "not_found")
    types = team.event_types()
    assert types.count("memory_stored") == 2
    assert "memory_updated" in types
    assert types[-1] == "memory_deleted"


def test_reference_is_unique_in_the_project(team: Team, member: ApiClient) -> None:
    """A second memory of one origin is a conflict."""
    path = f"{team.path}memories/"
    assert member.post(path, {"title": "a", "reference": "r"}).status_code == 201
    assert_problem(member.post(path, {"title": "b", "reference": "r"}), 409, "conflict")
    assert Memory.objects.count() == 1


def test_viewer_and_other_projects_are_refused(
    team: Team, viewer: ApiClient, member: ApiClient
) -> None:
    """Viewers may not write; the address must be the memory's own."""
    row = store_memory(team.owner, team.project.pk, title="x")
    path = f"{team.path}memories/{row.pk}/"
    assert viewer.get(path).status_code == 200
    assert_problem(viewer.post(f"{team.path}memories/", {"title": "y"}), 403, "forbidden")
    assert_problem(viewer.patch(path, {"title": "y"}), 403, "forbidden")
    assert_problem(viewer.delete(path), 403, "forbidden")
    other = member.post("/api/projects/", {"name": "Other"}).json()["id"]
    assert_problem(member.delete(f"/api/projects/{other}/memories/{row.pk}/"), 404, "not_found")
    assert Memory.objects.get().title == "x"


def test_filters_choose_memories(team: Team, member: ApiClient) -> None:
    """Kind, pin, importance, reference and part of title or text."""
    low = store_memory(team.owner, team.project.pk, title="Low", importance=0.1, kind="fact")
    high = store_memory(
        team.owner,
        team.project.pk,
        title="High",
        body="deep",
        pinned=True,
        reference="r",
        importance=0.9,
    )

    def found(**query: object) -> list[int]:
        return [row["id"] for row in member.get(f"{team.path}memories/", **query).json()["results"]]

    assert found() == [high.pk, low.pk]
    assert found(kind="fact") == [low.pk]
    assert found(pinned="true") == [high.pk]
    assert found(pinned="false") == [low.pk]
    assert found(min_importance="0.5") == [high.pk]
    assert found(reference="r") == [high.pk]
    assert found(q="DEEP") == [high.pk]
    assert found(q="low") == [low.pk]
    path = f"{team.path}memories/"
    for bad in ({"min_importance": "2"}, {"min_importance": "nan"}, {"pinned": "perhaps"}):
        assert_problem(member.get(path, **bad), 400, "bad_request")


def test_list_costs_the_same_at_any_size(
    team: Team, member: ApiClient, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    """Credential, membership, memories, and their dependencies in one more."""
    first = store_memory(team.owner, team.project.pk, title="first")
    for size in (3, 9):
        for n in range(Memory.objects.count(), size):
            store_memory(team.owner, team.project.pk, title=str(n), depends_on=[first.pk])
        with django_assert_num_queries(4):
            assert len(member.get(f"{team.path}memories/").json()["results"]) == size


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
def test_expiry_beyond_the_calendar_is_refused(team: Team, member: ApiClient, moment: str) -> None:
    """Bug: it was stored, or not, with a 500 either way."""
    path = f"{team.path}memories/"
    given = {"title": "x", "expires_at": moment}
    body = assert_problem(member.post(path, given), 400, "bad_request")
    assert body["detail"].startswith("expires_at: expected a moment of the years 1 to 9999")
    assert not Memory.objects.exists()
    row = member.post(path, {"title": "x"}).json()
    changed = member.patch(f"{path}{row['id']}/", {"expires_at": moment})
    assert_problem(changed, 400, "bad_request")
    last = member.patch(f"{path}{row['id']}/", {"expires_at": "9999-12-31T23:59:59Z"}).json()
    assert last["expires_at"] == "9999-12-31T23:59:59.000Z"
    assert member.get(f"{path}{row['id']}/").json() == last
