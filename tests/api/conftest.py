"""People, a project, and clients that speak JSON over real HTTP handlers."""

from dataclasses import dataclass
from typing import Any

import pytest
from django.test import Client

from chat.actions.projects import create_project, set_member
from chat.models import Project, User
from realtime.models import ApiKey, Event


class ApiClient:
    """Django's test client with an API key. Lists take the query as keywords."""

    def __init__(self, user: User | None = None) -> None:
        headers = {}
        if user is not None:
            headers["authorization"] = f"Api-Key {ApiKey.issue(user.pk, 'test')[1]}"
        self.client = Client(headers=headers)

    def get(self, path: str, **query: Any) -> Any:
        return self.client.get(path, query)

    def post(self, path: str, data: Any = None, **kwargs: Any) -> Any:
        return self.client.post(path, data, content_type="application/json", **kwargs)

    def patch(self, path: str, data: Any = None) -> Any:
        return self.client.patch(path, data, content_type="application/json")

    def delete(self, path: str) -> Any:
        return self.client.delete(path)


@dataclass
class Team:
    """One project with an owner, a member and a viewer, and a stranger to it."""

    owner: User
    member: User
    viewer: User
    stranger: User
    project: Project

    @property
    def path(self) -> str:
        return f"/api/projects/{self.project.pk}/"

    @property
    def stream(self) -> str:
        return f"project.{self.project.pk}"

    def event_types(self) -> list[str]:
        rows = Event.objects.filter(stream__name=self.stream).order_by("seq")
        return list(rows.values_list("type", flat=True))


def person(username: str, **fields: Any) -> User:
    user: User = User.objects.create_user(username, password=f"{username}-password", **fields)
    return user


@pytest.fixture
def team(db: None) -> Team:
    owner, member = person("ada", first_name="Ada"), person("bob")
    viewer, stranger = person("vera"), person("sam")
    project = create_project(owner, name="Apollo")
    set_member(owner, project.pk, user_id=member.pk, role="member")
    set_member(owner, project.pk, user_id=viewer.pk, role="viewer")
    return Team(owner, member, viewer, stranger, project)


@pytest.fixture
def owner(team: Team) -> ApiClient:
    return ApiClient(team.owner)


@pytest.fixture
def member(team: Team) -> ApiClient:
    return ApiClient(team.member)


@pytest.fixture
def viewer(team: Team) -> ApiClient:
    return ApiClient(team.viewer)


@pytest.fixture
def stranger(team: Team) -> ApiClient:
    return ApiClient(team.stranger)


def assert_problem(response: Any, status: int, code: str) -> dict[str, Any]:
    """The response is this problem, whole; gives its body."""
    assert response.status_code == status, response.content
    assert response["Content-Type"] == "application/problem+json"
    body: dict[str, Any] = response.json()
    assert body["code"] == code
    assert body["status"] == status
    assert body["type"] == "about:blank"
    assert body["title"]
    assert body["detail"]
    assert isinstance(body["temporary"], bool)
    return body
