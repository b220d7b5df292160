"""Open sockets over REST: who may look, who may close, what is refused."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.test import Client

from chat.models import User
from realtime.audit.recording import write_recorded
from realtime.models import ApiKey, AuditEntry
from realtime.protocol.codes import CloseCode
from tests.fleet.serving import Serving, serving

pytestmark = pytest.mark.django_db

CONNECTIONS = "/api/websocket/connections"
CLEANUP = "/api/websocket/maintenance/connections/cleanup"


def client_of(*rights: str) -> Client:
    """Somebody with these rights and no others."""
    user = User.objects.create(username=f"user-{User.objects.count()}")
    user.user_permissions.set(Permission.objects.filter(codename__in=rights))
    return Client(headers={"Authorization": f"Api-Key {ApiKey.issue(user.pk, 'x')[1]}"})


@pytest.fixture
def nodes(monkeypatch: pytest.MonkeyPatch) -> Iterator[Serving]:
    """One process that shares nothing with others."""
    with serving(monkeypatch, None) as found:
        yield found


@pytest.fixture
def operator() -> Client:
    return client_of("view_liveconnection", "change_liveconnection")


def detail(answer: Any) -> str:
    assert answer["Content-Type"] == "application/problem+json"
    return str(answer.json()["detail"])


def test_sockets_are_listed_by_person(nodes: Serving, operator: Client) -> None:
    nodes.open(nodes.here, 1)
    second = nodes.open(nodes.here, 2)
    found = operator.get(f"{CONNECTIONS}?user_id=2&order=buffered").json()
    assert (found["total"], found["matching"], found["silent"]) == (2, 1, [])
    assert [one["id"] for one in found["connections"]] == [second.id]
    assert operator.get(f"{CONNECTIONS}/{second.id}").json() == {
        **found["connections"][0],
        "open_s": pytest.approx(0, abs=60),
    }


def test_a_socket_is_closed_and_recorded(nodes: Serving, operator: Client) -> None:
    connection = nodes.open(nodes.here, 1)
    assert operator.delete(f"{CONNECTIONS}/{connection.id}").status_code == 204
    [(code, _)] = connection.closes
    assert code is CloseCode.REVOKED
    write_recorded()
    entry = AuditEntry.objects.get(action="connection_closed")
    assert entry.target == f"connection.{connection.id}"


def test_only_stalled_sockets_are_given_up(nodes: Serving, operator: Client) -> None:
    """And those that are asked about in particular: the default is the slow timeout."""
    nodes.open(nodes.here, 1)
    stalled = nodes.open(nodes.here, 2)
    stalled.stalled_s = 9.0
    found = operator.post(CLEANUP).json()
    assert found == {"closed": {nodes.here.id: 0}, "silent": []}
    found = operator.post(f"{CLEANUP}?stalled_s=9").json()
    assert found == {"closed": {nodes.here.id: 1}, "silent": []}
    assert stalled.writer.closed


def test_counts_are_for_whoever_sees_the_status(nodes: Serving) -> None:
    nodes.open(nodes.here, 1)
    viewer = client_of("view_status")
    found = viewer.get("/api/status/connections").json()
    assert found == {"total": 1, "by_node": {nodes.here.id: 1}, "silent": []}
    assert viewer.get("/api/status/live").json()["alerts"] == 0


@pytest.mark.parametrize("rights", [(), ("view_status",), ("view_liveconnection",)])
def test_rights_are_asked_for(nodes: Serving, rights: tuple[str, ...]) -> None:
    """Who may see the state may not see people; who may see them may not close them."""
    connection = nodes.open(nodes.here, 1)
    client = client_of(*rights)
    may_look = "view_liveconnection" in rights
    for path in (CONNECTIONS, f"{CONNECTIONS}/{connection.id}"):
        assert client.get(path).status_code == (200 if may_look else 403)
        assert Client().get(path).status_code == 401
    assert client.delete(f"{CONNECTIONS}/{connection.id}").status_code == 403
    assert client.post(CLEANUP).status_code == 403
    assert connection.closes == []
    if "view_status" not in rights:
        assert client.get("/api/status/connections").status_code == 403
        assert client.get("/api/status/live").status_code == 403


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("user_id=zero", "user_id: expected a valid integer"),
        ("user_id=99999999999999999999", "user_id: expected less"),
        ("order=oldest", "order: expected"),
        ("limit=0", "limit: expected"),
        ("limit=1000", "limit: expected"),
        ("node=a%20b", "node: expected"),
    ],
)
def test_bad_questions_are_refused(operator: Client, query: str, text: str) -> None:
    answer = operator.get(f"{CONNECTIONS}?{query}")
    assert answer.status_code == 400
    assert text in detail(answer)


@pytest.mark.parametrize("given", ["0", "1e9", "nan", "soon"])
def test_bad_limits_of_patience_are_refused(operator: Client, given: str) -> None:
    answer = operator.post(f"{CLEANUP}?stalled_s={given}")
    assert answer.status_code == 400
    assert "stalled_s: expected" in detail(answer)
    assert not AuditEntry.objects.filter(action="connections_cleaned").exists()


def test_unknown_sockets_are_not_found(nodes: Serving, operator: Client) -> None:
    """Looked at and closed; with memory:// there is no other node that could have it."""
    answer = operator.get(f"{CONNECTIONS}/nowhere")
    assert answer.status_code == 404
    assert detail(answer) == "expected an open connection, got 'nowhere'"
    assert operator.delete(f"{CONNECTIONS}/nowhere").status_code == 503
