"""The dashboard's shell and what its script asks; the page for everybody."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.db import DatabaseError, OperationalError, connection, transaction
from django.test import Client

from chat.models import User
from realtime.components import Finding, State, components
from realtime.security.sessions import SessionStore
from status.alone import Outage
from status.buckets import Bucket
from status.exchange import exchange, leave, write_view
from status.models import Board, MemberKind
from status.pages import away, public
from status.pages.past import STEPS, past
from status.pages.streams import busiest
from status.probes.traffic import Traffic
from status.samples import store
from status.totals import totals_of
from status.view import report_of, view_of
from tests.pages.test_pages import Inline

pytestmark = pytest.mark.django_db

BEGAN = datetime(2026, 1, 1, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def nothing_kept() -> Iterator[None]:
    """The public page keeps what it read for 2 s."""
    public.forget()
    yield
    public.forget()


@pytest.fixture
def operator() -> Client:
    user = User.objects.create(username="olga")
    user.user_permissions.add(Permission.objects.get(codename="view_status"))
    client = Client()
    client.force_login(user)
    return client


def on_the_board(**findings: Finding) -> None:
    exchanged = exchange("node-1", MemberKind.NODE, report_of(findings))
    view = view_of(components(), exchanged.members, {})
    assert write_view("node-1", view.stored, changed=True) is not None


def test_who_may_see_the_dashboard(operator: Client) -> None:
    """Strangers sign in first; who may not look is told so; scripts get 403, not a page."""
    asked = Client().get("/status/")
    assert (asked.status_code, asked["Location"]) == (302, "/sign-in/?next=/status/")
    sam = Client()
    sam.force_login(User.objects.create(username="sam"))
    refused = sam.get("/status/")
    assert refused.status_code == 403
    assert b"may not see" in refused.content
    for path in ("/status/past/", "/status/streams/"):
        assert [who.get(path).status_code for who in (Client(), sam, operator)] == [403, 403, 200]
        assert operator.post(path).status_code == 405
    assert operator.get("/status/").status_code == 200


def test_shell_has_nothing_inline_and_is_never_cached(operator: Client) -> None:
    """A strict policy would refuse it, and the next person at the machine may go back."""
    page = operator.get("/status/")
    parser = Inline()
    parser.feed(page.content.decode())
    assert parser.found == []
    assert "no-store" in page["Cache-Control"]
    assert "script-src 'self'" in page["Content-Security-Policy"]


def test_only_who_may_acknowledge_gets_the_button(operator: Client) -> None:
    """To look is one right, to act another."""
    assert b"data-acknowledges" not in operator.get("/status/").content
    User.objects.get().user_permissions.add(Permission.objects.get(codename="change_alert"))
    assert b"data-acknowledges" in operator.get("/status/").content


def test_public_page_shows_states_and_nothing_else() -> None:
    """No texts, no values, no processes; no session is read, and it may be kept for 5 s."""
    on_the_board(
        cpu=Finding(State.DEGRADED, "97 % of a core", {"percent": 97.0}),
        sockets=Finding(State.OK, "", {"count": 4711.0}),
    )
    answer = Client().get("/status/public/")
    assert answer.status_code == 200
    assert answer["Cache-Control"] == "public, max-age=5"
    assert not answer.cookies
    assert not answer.has_header("Vary")
    body = answer.content.decode()
    found = re.findall(r'data-state="(\w+)".*?class="name">(.*?)<.*?class="word">(.*?)<', body)
    assert found == [("ok", "Sockets", "works"), ("degraded", "CPU", "degraded")]
    assert "Something does not work as it should" in body
    for secret in ("97", "4711", "node-1", "core"):
        assert secret not in body


def test_public_page_of_a_system_that_nobody_looks_at() -> None:
    """What stands on a board that nobody holds is old."""
    assert b"not known" in Client().get("/status/public/").content
    on_the_board(cpu=Finding(State.OK))
    public.forget()
    assert b"Everything works" in Client().get("/status/public/").content
    leave("node-1")
    Board.objects.update(until=datetime.now(UTC) - timedelta(seconds=31))
    public.forget()
    assert b"not known" in Client().get("/status/public/").content


def test_public_page_while_the_database_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    """It says so, and asks once in 2 s however many look."""
    asked = 0

    def refuses(**_: Any) -> Any:
        nonlocal asked
        asked += 1
        raise OperationalError("no")

    monkeypatch.setattr(Board.objects, "filter", refuses)
    for _ in range(3):
        answer = Client().get("/status/public/")
        assert answer.status_code == 200
        assert b"The system is down" in answer.content
        assert b">Database<" in answer.content
    assert asked == 1


def test_scripts_are_told_that_the_database_is_away(
    operator: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They ask again; no traceback every 10 s."""

    def refuses(*_: Any) -> Any:
        raise OperationalError("no")

    monkeypatch.setattr("status.pages.views.may_read_status", refuses)
    for path in ("/status/past/", "/status/streams/"):
        assert operator.get(path).status_code == 503


BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


def test_pages_while_the_database_is_away_are_one_that_renews_itself(
    operator: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever asks, for whatever page, also to sign in: what this process sees, without asking."""

    def refuses(*_: Any, **__: Any) -> Any:
        raise OperationalError("no")

    outage = Outage(BEGAN, {"redis": State.OK, "database": State.DOWN})
    monitor = SimpleNamespace(alone=SimpleNamespace(outage=outage))
    for module in (away, public):
        monkeypatch.setattr(module, "process_monitor", lambda: monitor)
    monkeypatch.setattr(SessionStore, "load", refuses)
    for path in ("/status/", "/", "/sign-in/"):
        answer = operator.get(path, headers=BROWSER)
        assert (answer.status_code, answer["Retry-After"]) == (503, "5")
        assert "no-store" in answer["Cache-Control"]
        assert "script-src 'self'" in answer["Content-Security-Policy"]
        body = answer.content.decode()
        assert "The database does not answer since" in body
        assert "12:00:00 UTC" in body
        assert '<meta http-equiv="refresh" content="5">' in body
        found = re.findall(r'data-state="(\w+)".*?class="name">(.*?)<', body)
        assert found == [("down", "Database"), ("ok", "Redis")]
        assert operator.cookies["sessionid"].value  # whoever was signed in still is
    sent = operator.post("/sign-in/", {"username": "olga"}, headers=BROWSER)
    assert sent.status_code == 503
    assert "refresh" not in sent.content.decode()
    monkeypatch.setattr(Board.objects, "filter", refuses)
    shown = operator.get("/status/public/")
    assert (shown.status_code, b">Redis<" in shown.content) == (200, True)


def test_a_fault_of_ours_is_no_outage() -> None:
    """A wrong statement must leave its traceback."""
    with pytest.raises(DatabaseError) as wrong, transaction.atomic():
        connection.cursor().execute("SELECT nothing FROM nowhere")
    assert not away.is_away(wrong.value)
    assert away.is_away(OperationalError("connection refused"))
    assert not away.is_away(ValueError("no"))


def sampled(member: str, component: str, minute: int, *values: dict[str, float]) -> None:
    """One step of 10 s per value, from that minute on."""
    for number, value in enumerate(values):
        at = BEGAN + timedelta(minutes=minute, seconds=10 * number)
        store(member, [Bucket(component, at, totals_of(value))])


def test_past_is_joined_as_what_is_sent_live() -> None:
    """Sums of the processes' averages, the highest of maxima; states of all components."""
    sampled("a", "sockets", -2, {"count": 10, "state": 0}, {"count": 20, "state": 0})
    sampled("b", "sockets", -2, {"count": 5, "state": 2})
    sampled("a", "event_loop", -1, {"lag_ms": 3}, {"lag_ms": 9})
    sampled("b", "event_loop", -1, {"lag_ms": 4})
    sampled("a", "sockets", -200, {"count": 99})
    found = past(["sockets.count", "event_loop.lag_ms", "no.such"], BEGAN + timedelta(seconds=30))
    assert found["begin"] == "2026-01-01T10:31:00.000Z"
    series = found["series"]
    assert set(series) == {"sockets.count", "sockets.state", "event_loop.lag_ms"}
    assert series["sockets.count"][-4:] == [None, 20.0, None, None]
    assert series["sockets.state"][-3:] == [2.0, None, None]
    assert series["event_loop.lag_ms"][-3:] == [None, 9.0, None]
    assert all(len(values) == STEPS for values in series.values())


def test_past_refuses_too_many_measures(operator: Client) -> None:
    """One sentence; unknown names cost nothing."""
    many = "&".join(["measure=cpu.percent"] * 41)
    answer = operator.get(f"/status/past/?{many}")
    assert answer.status_code == 400
    assert answer.json()["detail"] == "measure: expected 40 at most, got 41"
    assert operator.get("/status/past/?measure=%00").json()["series"] == {}


class FakeStream:
    """What `Traffic` reads of a stream."""

    def __init__(self, name: str, last: int, readers: int) -> None:
        self.name, self.last = name, last
        self.audience = FakeAudience(readers)


class FakeAudience:
    behind = 0

    def __init__(self, size: int) -> None:
        self._size = size

    def __len__(self) -> int:
        return self._size


def test_traffic_is_what_moved_since_the_last_look() -> None:
    """Streams that were opened since, and logs that were reset, count from the next look on."""
    clock = iter([0.0, 2.0, 4.0])
    traffic = Traffic(lambda: next(clock))
    room, quiet = FakeStream("project.1", 100, 3), FakeStream("user.1", 7, 1)
    streams: Any = [room, quiet]
    values, told = traffic.take(streams)
    assert (values["events_per_s"], told) == (0, [])
    room.last, quiet.last = 110, 2
    streams.append(FakeStream("project.2", 50, 9))
    values, told = traffic.take(streams)
    assert values == {"events_per_s": 5.0, "delivered_per_s": 15.0, "behind": 0}
    assert [row["stream"] for row in told] == ["project.1"]


def test_busiest_streams_of_all_nodes() -> None:
    """Deliveries add up; an event that two nodes have seen is one event."""

    def row(stream: str, events: float, readers: int, behind: float = 0) -> dict[str, Any]:
        rates = {"events_per_s": events, "delivered_per_s": events * readers}
        return {"stream": stream, "readers": readers, "behind": behind, **rates}

    for member, rows in (
        ("a", [row("project.1", 5, 2), row("project.2", 1, 50)]),
        ("b", [row("project.1", 4, 3), row("project.3", 0, 1, behind=1)]),
        ("c", []),
    ):
        detail = {"streams": rows} if rows else {}
        report = report_of({"traffic": Finding(State.OK, "", {}, detail)})
        exchange(member, MemberKind.NODE, report)
    found = busiest()
    assert [one["stream"] for one in found] == ["project.3", "project.2", "project.1"]
    assert found[2] == row("project.1", 5, 5) | {"delivered_per_s": 22.0}
