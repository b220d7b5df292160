"""Bad input: one shape of problem, nothing stored, no traceback in the log."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client

from chat.models import Message
from realtime.api.inputs import MAX_REQUEST_BYTES
from tests.api.conftest import ApiClient, Team, assert_problem

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Bad input is the client's fault: no test of this module may leave a traceback in the log."""
    yield
    assert [record for record in caplog.get_records("call") if record.exc_info] == []


BAD_BODIES = [
    (b"{", 400, "bad_request"),
    (b"", 400, "bad_request"),
    (b"[]", 400, "bad_request"),
    (b'"x"', 400, "bad_request"),
    (b"null", 400, "bad_request"),
    (b"\xff\xfe", 400, "bad_request"),
    (b'{"body":NaN}', 400, "bad_request"),
    (b"[" * 100_000, 400, "bad_request"),
    (b'{"body":' * 10_000, 400, "bad_request"),
    (b'{"body":"\\ud800"}', 400, "bad_request"),
    (b'{"body":"a\\u0000b"}', 400, "bad_request"),
    (b'{"body":"a\\u001bb"}', 400, "bad_request"),
    (b'{"body":""}', 400, "bad_request"),
    (b'{"body":" \\t\\r\\n\\u00a0\\u2003"}', 400, "bad_request"),
    (b'{"body":7}', 400, "bad_request"),
    (b'{"body":null}', 400, "bad_request"),
    (b'{"body":{"a":[1]}}', 400, "bad_request"),
    (b'{"text":"x"}', 400, "bad_request"),
    (b'{"body":"x","client_ref":""}', 400, "bad_request"),
    (b'{"body":"x","client_ref":"\\u0007"}', 400, "bad_request"),
    (b'{"body":"x","client_ref":"' + b"r" * 65 + b'"}', 413, "too_large"),
    (b'{"body":"x","reply_to":"1"}', 400, "bad_request"),
    (b'{"body":"x","reply_to":0}', 400, "bad_request"),
    (b'{"body":"x","reply_to":9223372036854775808}', 400, "bad_request"),
    (b'{"body":"x","reply_to":' + b"9" * 5000 + b"}", 400, "bad_request"),
    (b'{"body":"x","reply_to":9223372036854775807}', 404, "not_found"),
    (b'{"body":"x","session":9223372036854775807}', 404, "not_found"),
    (b'{"body":"' + b"x" * 100_000 + b'"}', 413, "too_large"),
    (b'{"body":"' + b"x" * MAX_REQUEST_BYTES + b'"}', 413, "too_large"),
]


@pytest.mark.parametrize(("raw", "status", "code"), BAD_BODIES, ids=lambda value: repr(value)[:40])
def test_bad_message_is_refused_and_not_stored(
    team: Team, member: ApiClient, raw: bytes, status: int, code: str
) -> None:
    """Every malformed body has its problem, and the log stays as it was."""
    before = team.event_types()
    response = member.client.post(f"{team.path}messages/", raw, content_type="application/json")
    assert_problem(response, status, code)
    assert not Message.objects.exists()
    assert team.event_types() == before


@pytest.mark.parametrize(
    "fields",
    [
        {"title": ""},
        {"title": "x", "kind": "poem"},
        {"title": "x", "importance": 1.5},
        {"title": "x", "importance": "high"},
        {"title": "x", "pinned": "yes"},
        {"title": "x", "depends_on": [0]},
        {"title": "x", "depends_on": [2**63]},
        {"title": "x", "depends_on": [2**62]},
        {"title": "x", "depends_on": 3},
        {"title": "x", "depends_on": list(range(1, 102))},
        {"title": "x", "expires_at": "2026-01-01T00:00:00"},
        {"title": "x", "expires_at": "soon"},
        {"title": "x", "body": "\x00"},
    ],
    ids=str,
)
def test_bad_memory_is_refused_and_not_stored(
    team: Team, member: ApiClient, fields: dict[str, Any]
) -> None:
    """Memories are checked field by field, and rolled back whole."""
    before = team.event_types()
    assert_problem(member.post(f"{team.path}memories/", fields), 400, "bad_request")
    assert team.event_types() == before
    assert not team.project.memories.exists()


@pytest.mark.parametrize(
    "query",
    [
        {"limit": "-1"},
        {"limit": "0"},
        {"limit": "201"},
        {"limit": "many"},
        {"limit": "9" * 5000},
        {"cursor": "unknown"},
        {"cursor": "next-"},
        {"cursor": "next--1"},
        {"cursor": "next-99999999999999999999"},
        {"author": "9223372036854775808"},
        {"author": "ada"},
        {"kind": "poem"},
        {"since": "yesterday"},
        {"since": "2026-01-01T00:00:00"},
        {"q": "\x00"},
        {"q": ""},
    ],
    ids=str,
)
def test_bad_query_is_refused(team: Team, member: ApiClient, query: dict[str, str]) -> None:
    """What a list is asked for is checked like what is written, and the field is named."""
    body = assert_problem(member.get(f"{team.path}messages/", **query), 400, "bad_request")
    assert list(body["errors"]) == list(query)
    assert body["detail"].startswith(f"{next(iter(query))}: expected ")


@pytest.mark.parametrize(
    "path",
    [
        "",
        "nowhere/",
        "projects",
        "projects/0/",
        "projects/-1/",
        f"projects/{2**63}/",
        "projects/x/",
    ],
)
@pytest.mark.parametrize("method", ["get", "post", "delete"])
def test_unknown_path_is_a_problem(team: Team, path: str, method: str) -> None:
    """No page of HTML and no redirect below /api/, whatever the method and the CSRF token."""
    client = Client(enforce_csrf_checks=True)
    assert_problem(getattr(client, method)(f"/api/{path}"), 404, "not_found")


def test_wrong_method_says_which_are_allowed(team: Team, member: ApiClient) -> None:
    """405 with Allow, as RFC 9110 asks."""
    response = member.client.put("/api/projects/", {}, content_type="application/json")
    body = assert_problem(response, 405, "bad_request")
    assert "GET" in body["detail"]
    assert "POST" in response["Allow"]


def test_wrong_content_type_is_415(team: Team, member: ApiClient) -> None:
    """Forms are not read."""
    response = member.client.post(f"{team.path}messages/", {"body": "x"})
    assert_problem(response, 415, "bad_request")


def test_unacceptable_accept_is_406(team: Team, member: ApiClient) -> None:
    """Only JSON is served."""
    response = member.client.get("/api/projects/", headers={"accept": "text/html"})
    assert_problem(response, 406, "bad_request")
