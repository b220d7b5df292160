"""The API of the system's state: what it answers, to whom, and what it refuses."""

from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.utils import timezone

from chat.models import User
from realtime.components import Finding, State, components
from realtime.models import ApiKey, Event
from realtime.protocol.catalogue import CATALOGUE
from status.alerts.evaluating import evaluate
from status.alerts.rounds import Round
from status.buckets import Buckets
from status.exchange import exchange, leave, write_view
from status.models import Alert, AlertRule, MemberKind
from status.samples import store
from status.view import report_of, view_of

pytestmark = pytest.mark.django_db

PATHS = ("", "/system", "/health", "/alerts", "/history?measure=cpu.percent")


class Asker:
    """Somebody with a key."""

    def __init__(self, user: User) -> None:
        self.user = user
        self._client = Client(headers={"Authorization": f"Api-Key {ApiKey.issue(user.pk, 'x')[1]}"})

    def get(self, path: str) -> Any:
        return self._client.get(f"/api/websocket{path}")

    def post(self, path: str) -> Any:
        return self._client.post(f"/api/websocket{path}")


@pytest.fixture
def operator() -> Asker:
    """By permission, not staff."""
    user = User.objects.create(username="olga")
    user.user_permissions.add(Permission.objects.get(codename="view_status"))
    return Asker(user)


@pytest.fixture
def alert() -> Alert:
    AlertRule.objects.all().delete()
    AlertRule.objects.create(
        name="cpu",
        component="cpu",
        text="busy",
        expression="cpu.percent",
        threshold=9,
        duration_s=0,
    )
    evaluate(Round(timezone.now(), {"cpu.percent": 10.0}))
    return Alert.objects.get()


@pytest.mark.parametrize("path", PATHS)
def test_only_operators_may_look(path: str) -> None:
    """Nobody, and somebody without the right."""
    assert Client().get(f"/api/websocket/status{path}").status_code == 401
    stranger = Asker(User.objects.create(username="sam"))
    answer = stranger.get(f"/status{path}")
    assert answer.status_code == 403
    assert answer["Content-Type"] == "application/problem+json"


def test_state_and_numbers(operator: Asker, alert: Alert) -> None:
    """What stands on the board, with the processes that are alive and the open alerts."""
    report = report_of({"cpu": Finding(State.DEGRADED, "91 % of a core", {"percent": 91.0})})
    exchanged = exchange("node-1", MemberKind.NODE, report)
    assert exchanged.holds
    view = view_of(components(), exchanged.members, {})
    assert write_view("node-1", view.stored, changed=True) == 1
    found = operator.get("/status").json()
    assert (found["state"], found["parts"]) == ("degraded", {"cpu": "degraded"})
    assert found["values"]["cpu.percent"] == 91
    health = operator.get("/status/health").json()
    assert health == {
        "state": "degraded",
        "parts": {"cpu": "degraded"},
        "texts": {"cpu": "91 % of a core"},
        "nodes": 1,
        "version": 1,
    }
    system = operator.get("/status/system").json()
    assert [one["id"] for one in system["members"]] == ["node-1"]
    assert [one["id"] for one in system["alerts"]] == [alert.pk]
    assert {one["name"] for one in system["components"]} == set(components())


def test_before_the_first_look_nothing_is_known(operator: Asker) -> None:
    """No made-up health."""
    assert operator.get("/status/health").json()["state"] == "unknown"
    answer = operator.post("/status/health-check")
    assert answer.status_code == 503  # no monitor runs in this process
    assert answer.json()["temporary"] is True


def test_only_the_holder_writes_the_board() -> None:
    """The second node takes it when the first has left."""
    assert exchange("a", MemberKind.NODE, {}).holds
    assert not exchange("b", MemberKind.NODE, {}).holds
    assert not exchange("w", MemberKind.WORKER, {}).holds
    assert write_view("b", {"parts": {}}, changed=True) is None
    leave("a")
    found = exchange("b", MemberKind.NODE, {})
    assert found.holds
    assert [member.id for member in found.members] == ["b", "w"]


def test_alerts_are_listed_and_acknowledged(operator: Asker, alert: Alert) -> None:
    """To look is one right, to act another; once more is no error."""
    [found] = operator.get("/status/alerts").json()["alerts"]
    assert (found["id"], found["state"], found["value"]) == (alert.pk, "open", 10)
    path = f"/status/alerts/{alert.pk}/acknowledge"
    assert operator.post(path).status_code == 403
    operator.user.user_permissions.add(Permission.objects.get(codename="change_alert"))
    for _ in range(2):
        answer = operator.post(path)
        assert answer.status_code == 200
        assert answer.json()["acknowledged_by"] == "olga"
    assert Event.objects.filter(stream__name="status", type="performance_alert").count() == 2
    assert operator.post("/status/alerts/999999/acknowledge").status_code == 404
    assert operator.get("/status/alerts?state=closed").json() == {"alerts": []}
    assert len(operator.get("/status/alerts?state=all").json()["alerts"]) == 1


def test_history_by_api(operator: Asker) -> None:
    """The last hour without more words; from, to and step as asked for."""
    begin = datetime.now(UTC) - timedelta(minutes=5)
    buckets = Buckets()
    for percent in (10.0, 30.0):
        buckets.add("cpu", begin, {"percent": percent})
    store("one", buckets.take(datetime.now(UTC)))
    found = operator.get("/status/history?measure=cpu.percent").json()
    [point] = found["points"]
    assert (point["count"], point["min"], point["max"], point["average"]) == (2, 10, 30, 20)
    assert found["unit"] == "percent"
    query = urlencode(
        {
            "measure": "cpu.percent",
            "from": (begin - timedelta(hours=1)).isoformat(),
            "to": (begin - timedelta(minutes=1)).isoformat(),
            "step": 60,
        }
    )
    assert operator.get(f"/status/history?{query}").json()["points"] == []
    other = operator.get("/status/history?measure=cpu.percent&member=two").json()
    assert other["points"] == []


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("", 400),
        ("measure=cpu.nothing", 404),
        ("measure=cpu.percent&from=yesterday", 400),
        ("measure=cpu.percent&from=2026-01-01T00:00:00", 400),
        ("measure=cpu.percent&from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z", 400),
        ("measure=cpu.percent&from=0001-01-01T00:00:00Z", 400),
        ("measure=cpu.percent&from=9999-12-31T23:59:59Z", 400),
        ("measure=cpu.percent&to=0001-01-01T00:00:00Z", 400),
        ("measure=cpu.percent&from=0001-01-01T00:00:00%2B14:00", 400),
        ("measure=cpu.percent&step=1", 400),
        ("measure=cpu.percent&step=15", 400),
        ("measure=cpu.percent&step=ten", 400),
        ("measure=cpu.percent&step=99999999999999999999", 400),
        ("measure=cpu.percent&from=2026-01-01T00:00:00Z&to=2026-05-01T00:00:00Z&step=10", 400),
        ("measure=" + "a" * 100, 413),
    ],
)
def test_bad_questions_are_refused(operator: Asker, query: str, status: int) -> None:
    """Each in a sentence that says what was expected."""
    answer = operator.get(f"/status/history?{query}")
    assert answer.status_code == status, answer.content
    assert "expected" in answer.json()["detail"]


def test_event_types_are_the_catalogue() -> None:
    """For everybody who is signed in: what may come, and of which shape."""
    asker = Asker(User.objects.create(username="sam"))
    types = asker.get("/events/types").json()["types"]
    assert {one["name"] for one in types} == set(CATALOGUE)
    [alert] = [one for one in types if one["name"] == "performance_alert"]
    assert "severity" in alert["data"]["properties"]
    assert alert["streams"] == ["status"]


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/health/live", "/health/ready"])
def test_probes_need_no_credentials(path: str) -> None:
    """For supervisors and load balancers."""
    assert Client().get(path).json() == {"state": "ok"}
