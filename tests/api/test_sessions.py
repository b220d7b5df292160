"""Signing in and out by the API."""

from datetime import datetime, timedelta

import pytest
from django.test import Client
from django.utils import timezone

from realtime.models import Event
from realtime.security.identity import session_credential
from tests.api.conftest import ApiClient, Team, assert_problem

pytestmark = pytest.mark.django_db
ADA = {"username": "ada", "password": "ada-password"}


def endings(team: Team) -> list[str | None]:
    rows = Event.objects.filter(stream__name=f"user.{team.owner.pk}", ends__isnull=False)
    return list(rows.order_by("seq").values_list("ends", flat=True))


def test_sign_in_gives_a_token_of_twelve_hours(team: Team) -> None:
    """The token works as Bearer until the announced end."""
    response = ApiClient().post("/api/sessions/", ADA)
    assert response.status_code == 201
    body = response.json()
    assert body["user"] == {"id": team.owner.pk, "name": "Ada"}
    lasts = datetime.fromisoformat(body["expires_at"]) - timezone.now()
    assert timedelta(hours=11, minutes=59) < lasts <= timedelta(hours=12)
    client = Client(headers={"authorization": f"Bearer {body['token']}"})
    assert client.get("/api/me/").json()["username"] == "ada"


def test_sign_out_ends_the_bearer_session_and_says_so(team: Team) -> None:
    """Sockets hear of it by the event; the token is worth nothing afterwards."""
    token = ApiClient().post("/api/sessions/", ADA).json()["token"]
    client = Client(headers={"authorization": f"Bearer {token}"})
    assert client.delete("/api/sessions/").status_code == 204
    assert endings(team) == [session_credential(token)]
    assert_problem(client.get("/api/me/"), 401, "unauthorized")


def test_sign_out_ends_the_cookie_session_and_says_so(team: Team) -> None:
    """The same for a browser."""
    client = Client()
    client.force_login(team.owner)
    key = client.session.session_key
    assert key is not None
    assert client.delete("/api/sessions/").status_code == 204
    assert endings(team) == [session_credential(key)]
    assert client.get("/api/me/").status_code == 401


def test_api_key_has_no_session_to_end(team: Team) -> None:
    """Signing out with a key is refused, and the key stays."""
    client = ApiClient(team.owner)
    assert_problem(client.delete("/api/sessions/"), 400, "bad_request")
    assert client.get("/api/me/").status_code == 200


@pytest.mark.parametrize(
    "credentials",
    [{**ADA, "password": "wrong"}, {**ADA, "username": "nobody"}],
)
def test_wrong_credentials_are_unauthorized(team: Team, credentials: dict[str, str]) -> None:
    """A wrong name and a wrong password give one answer."""
    body = assert_problem(ApiClient().post("/api/sessions/", credentials), 401, "unauthorized")
    assert body["detail"] == "expected the name and password of an active account, got others"


def test_inactive_account_cannot_sign_in(team: Team) -> None:
    """A deactivated person is told nothing more than a stranger."""
    team.owner.is_active = False
    team.owner.save()
    assert_problem(ApiClient().post("/api/sessions/", ADA), 401, "unauthorized")


def test_stale_credential_does_not_stop_signing_in(team: Team) -> None:
    """A client with an expired token signs in again without dropping its header first."""
    client = Client(headers={"authorization": "Bearer stale"})
    response = client.post("/api/sessions/", ADA, content_type="application/json")
    assert response.status_code == 201


def test_missing_fields_are_named(team: Team) -> None:
    """Each field has its own sentence."""
    body = assert_problem(ApiClient().post("/api/sessions/", {"username": 3}), 400, "bad_request")
    assert body["errors"] == {
        "username": ["expected a valid string, got 3"],
        "password": ["expected a value, got none"],
    }
