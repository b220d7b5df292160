"""Who is let in by the API, and what those are told who are not."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from realtime.models import ApiKey
from tests.api.conftest import ApiClient, Team, assert_problem

pytestmark = pytest.mark.django_db


def test_api_key_names_its_user(team: Team) -> None:
    """The key of a person acts as that person."""
    response = ApiClient(team.owner).get("/api/me/")
    assert response.json() == {
        "id": team.owner.pk,
        "name": "Ada",
        "username": "ada",
        "is_staff": False,
    }


def test_nobody_is_told_every_scheme(team: Team) -> None:
    """RFC 9110: a 401 carries WWW-Authenticate."""
    response = Client().get("/api/me/")
    assert_problem(response, 401, "unauthorized")
    assert response["WWW-Authenticate"] == 'Api-Key realm="api", Bearer realm="api"'


@pytest.mark.parametrize(
    "header", ["Api-Key wrong", "Bearer wrong", "Api-Key", "Bearer \u00e9", "Basic x"]
)
def test_wrong_credentials_are_unauthorized(team: Team, header: str) -> None:
    """A bad header never falls through to another identity."""
    response = Client(headers={"authorization": header}).get("/api/me/")
    assert_problem(response, 401, "unauthorized")


def test_ended_keys_are_unauthorized(team: Team) -> None:
    """Revoked, expired and those of deactivated accounts."""
    key, text = ApiKey.issue(team.member.pk, "k")
    client = Client(headers={"authorization": f"Api-Key {text}"})
    assert client.get("/api/me/").status_code == 200
    key.expires_at = timezone.now() - timedelta(seconds=1)
    key.save()
    assert_problem(client.get("/api/me/"), 401, "unauthorized")
    key.expires_at, key.revoked_at = None, timezone.now()
    key.save()
    assert_problem(client.get("/api/me/"), 401, "unauthorized")
    key.revoked_at = None
    key.save()
    assert client.get("/api/me/").status_code == 200
    team.member.is_active = False
    team.member.save()
    assert_problem(client.get("/api/me/"), 401, "unauthorized")


def test_cookie_needs_the_csrf_token(team: Team) -> None:
    """A browser's cookie alone must not be enough to write."""
    client = Client(enforce_csrf_checks=True)
    client.force_login(team.owner)
    assert client.get("/api/me/").status_code == 200
    response = client.post("/api/projects/", {"name": "x"}, content_type="application/json")
    assert_problem(response, 403, "forbidden")
