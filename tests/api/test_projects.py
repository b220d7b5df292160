"""Projects and members."""

import pytest
from pytest_django import DjangoAssertNumQueries

from chat.actions.projects import create_project, set_member
from chat.models import Membership, Project
from tests.api.conftest import ApiClient, Team, assert_problem, person

pytestmark = pytest.mark.django_db


def test_project_is_made_read_changed_and_deleted(team: Team, stranger: ApiClient) -> None:
    """Its creator owns it; its stream tells of the change."""
    made = stranger.post("/api/projects/", {"name": "Gemini", "description": "two", "junk": 1})
    assert made.status_code == 201
    path = f"/api/projects/{made.json()['id']}/"
    assert stranger.get(path).json() == made.json()
    changed = stranger.patch(path, {"description": "new"})
    assert changed.json() == {**made.json(), "description": "new"}
    [only] = stranger.get("/api/projects/").json()["results"]
    assert only == changed.json()
    assert stranger.delete(path).status_code == 204
    assert_problem(stranger.get(path), 404, "not_found")
    assert not Project.objects.filter(pk=made.json()["id"]).exists()


def test_stranger_learns_nothing_of_a_project(team: Team, stranger: ApiClient) -> None:
    """The same answer as for a project that does not exist, whatever is asked."""
    for path in ("", "members/", "messages/", "memories/", "sessions/"):
        mine = assert_problem(stranger.get(team.path + path), 404, "not_found")
        none = assert_problem(stranger.get(f"/api/projects/999999/{path}"), 404, "not_found")
        assert mine == none
    assert_problem(stranger.patch(team.path, {"name": "x"}), 404, "not_found")
    assert_problem(stranger.delete(team.path), 404, "not_found")
    assert_problem(stranger.post(f"{team.path}messages/", {"body": "x"}), 404, "not_found")
    assert_problem(stranger.post(f"{team.path}memories/", {"title": "x"}), 404, "not_found")
    adding = {"user": team.stranger.pk}
    assert_problem(stranger.post(f"{team.path}members/", adding), 404, "not_found")
    assert stranger.get("/api/projects/").json()["results"] == []


def test_only_owners_change_the_project(team: Team, member: ApiClient) -> None:
    """A member is told that it may not."""
    assert_problem(member.patch(team.path, {"name": "Mine"}), 403, "forbidden")
    assert_problem(member.delete(team.path), 403, "forbidden")
    adding = {"user": team.stranger.pk}
    assert_problem(member.post(f"{team.path}members/", adding), 403, "forbidden")
    team.project.refresh_from_db()
    assert team.project.name == "Apollo"


def test_members_are_added_by_id_or_name(team: Team, owner: ApiClient) -> None:
    """201 for a new one, 200 for a change of role."""
    path = f"{team.path}members/"
    added = owner.post(path, {"user": team.stranger.pk, "role": "viewer"})
    assert added.status_code == 201
    assert added.json()["user"] == {"id": team.stranger.pk, "name": "sam"}
    again = owner.post(path, {"user": "sam", "role": "member"})
    assert again.status_code == 200
    assert again.json()["role"] == "member"
    assert_problem(owner.post(path, {"user": "nobody"}), 404, "not_found")
    assert_problem(owner.post(path, {"user": 2**63 - 1}), 404, "not_found")
    for user in (0, -1, 2**63, True, None, "", [1]):
        assert_problem(owner.post(path, {"user": user}), 400, "bad_request")
    assert_problem(owner.post(path, {"user": "sam", "role": "king"}), 400, "bad_request")


def test_names_of_accounts_are_not_public(
    team: Team, member: ApiClient, stranger: ApiClient
) -> None:
    """Who may not add people cannot find out, either, which names exist."""
    path = f"{team.path}members/"
    for client, status, code in ((member, 403, "forbidden"), (stranger, 404, "not_found")):
        known = assert_problem(client.post(path, {"user": "sam"}), status, code)
        unknown = assert_problem(client.post(path, {"user": "nobody"}), status, code)
        assert known == unknown


def test_member_changes_role_and_leaves(team: Team, owner: ApiClient, member: ApiClient) -> None:
    """Owners change roles, everyone may leave, the last owner may not."""
    path = f"{team.path}members/{team.member.pk}/"
    assert owner.patch(path, {"role": "viewer"}).json()["role"] == "viewer"
    assert_problem(member.patch(path, {"role": "owner"}), 403, "forbidden")
    assert_problem(
        owner.patch(f"{team.path}members/{team.stranger.pk}/", {"role": "viewer"}), 404, "not_found"
    )
    assert not Membership.objects.filter(user=team.stranger).exists()
    assert member.delete(path).status_code == 204
    assert_problem(member.get(team.path), 404, "not_found")
    assert_problem(owner.delete(f"{team.path}members/{team.owner.pk}/"), 409, "conflict")
    assert team.event_types()[-1] == "project_left"


def test_members_and_sessions_ascend_in_pages(team: Team, viewer: ApiClient) -> None:
    """Both lists go from the oldest on, through their links."""
    page = viewer.get(f"{team.path}members/", limit=2).json()
    assert [row["user"]["name"] for row in page["results"]] == ["Ada", "bob"]
    rest = viewer.get(page["next"]).json()
    assert [row["user"]["name"] for row in rest["results"]] == ["vera"]
    assert rest["next"] is None
    assert viewer.get(rest["previous"]).json()["results"] == page["results"]
    [session] = viewer.get(f"{team.path}sessions/").json()["results"]
    assert session["title"] == "General"
    assert session["closed"] is False


def test_lists_cost_the_same_at_any_size(
    team: Team, owner: ApiClient, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    """No query per row: credential and rows for projects, and membership for members."""
    for more in range(2):
        with django_assert_num_queries(2):
            assert len(owner.get("/api/projects/").json()["results"]) == 1 + 4 * more
        with django_assert_num_queries(3):
            assert len(owner.get(f"{team.path}members/").json()["results"]) == 3 + 4 * more
        for n in range(4):
            create_project(team.owner, name=f"p{more}-{n}")
            new = person(f"new-{more}-{n}")
            set_member(team.owner, team.project.pk, user_id=new.pk, role="member")
