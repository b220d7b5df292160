"""The page of live connections: rows, filters, operations and rights, with nothing inline."""

import re
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from chat.models import User
from realtime.admin import connections
from realtime.fleet.operations import Seen
from realtime.fleet.sightings import Followed, Sighting, Wanted
from realtime.models import Event
from realtime.protocol.errors import NotFound, Unavailable
from tests.audit.entries import recorded

pytestmark = pytest.mark.django_db
PAGE = "/admin/realtime/liveconnection/"


class Fleet:
    """What the nodes would say."""

    def __init__(self) -> None:
        self.seen: list[Sighting] = []
        self.silent: list[str] = []
        self.asked: list[Wanted] = []
        self.away = False
        self.tested: list[str] = []

    def look(self, wanted: Wanted) -> Seen:
        self.asked.append(wanted)
        if self.away:
            raise Unavailable("nobody answers")
        return Seen(self.seen, 900, len(self.seen), ["node-a"], self.silent)

    def test(self, connection_id: str) -> None:
        self.tested.append(connection_id)
        if connection_id == "gone":
            raise NotFound("expected an open connection, got 'gone'")

    def sight(self, user: User, number: int = 0) -> None:
        streams = (Followed("status", "live", 0), Followed("project.1", "catching_up", 12))
        seen = Sighting(f"id-{number}", "node-a", user.pk, "<b>", 3725.0, "key", streams, 3, 12, 0)
        self.seen.append(seen)


@pytest.fixture
def fleet(monkeypatch: pytest.MonkeyPatch) -> Fleet:
    found = Fleet()
    monkeypatch.setattr(connections, "look_at_connections", found.look)
    operations = {**connections._OPERATIONS, "test": (found.test, "A test frame is sent.")}
    monkeypatch.setattr(connections, "_OPERATIONS", operations)
    return found


def page(client: Client, **query: str) -> str:
    response = client.get(PAGE, query)
    assert response.status_code == 200
    return response.content.decode()


def test_row_says_who_and_how(admin: Client, ada: User, fleet: Fleet) -> None:
    fleet.sight(ada)
    text = page(admin)
    assert reverse("admin:chat_user_change", args=[ada.pk]) in text
    assert "&lt;b&gt;" in text
    assert "1 h 2 min" in text
    assert "project.1 <b>-12</b>" in text
    assert "and 3 more" in text
    assert "1 connection of 900 on 1 node" in text


def test_names_cost_one_query(admin: Client, ada: User, operator: User, fleet: Fleet) -> None:
    """However many connections there are."""

    def queries() -> int:
        with CaptureQueriesContext(connection) as caught:
            page(admin)
        return len(caught)

    fleet.sight(ada)
    few = queries()
    for number in range(1, 50):
        fleet.sight(operator if number % 2 else ada, number)
    assert queries() == few


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ({"node": "node-b", "order": "behind"}, Wanted(node="node-b", order="behind")),
        ({"order": "; DROP"}, Wanted()),
        ({"person": "nobody-of-that-name"}, Wanted(user_id=0)),
        ({"person": "a\0b"}, Wanted(user_id=0)),
        ({"person": "9" * 100}, Wanted(user_id=0)),
        ({"person": "42"}, Wanted(user_id=42)),
    ],
)
def test_filters_are_checked(
    admin: Client, fleet: Fleet, query: dict[str, str], wanted: Wanted
) -> None:
    page(admin, **query)
    assert fleet.asked == [wanted]


def test_person_is_found_by_name(admin: Client, ada: User, fleet: Fleet) -> None:
    page(admin, person="ada")
    assert fleet.asked == [Wanted(user_id=ada.pk)]


def test_silent_node_is_named(admin: Client, fleet: Fleet) -> None:
    fleet.silent = ["node-x"]
    assert "No answer within a second from node node-x" in page(admin)


def test_absent_registry_is_told_in_the_page(admin: Client, fleet: Fleet) -> None:
    fleet.away = True
    assert "cannot be asked for: nobody answers" in page(admin)


def test_part_is_only_the_table(admin: Client, ada: User, fleet: Fleet) -> None:
    """What the page asks for when the socket says that something changed."""
    fleet.sight(ada)
    text = page(admin, part="table")
    assert 'data-connection="id-0"' in text
    assert "<html" not in text


def test_nothing_is_inline(admin: Client, ada: User, fleet: Fleet) -> None:
    fleet.sight(ada)
    text = page(admin)
    for script in re.findall(r"<script[^>]*>", text):
        assert "src=" in script or 'type="application/json"' in script
    assert not re.search(r"<style|\sstyle=|\son[a-z]+=|javascript:", text)


def test_operations_of_one_and_all(admin: Client, ada: User, fleet: Fleet) -> None:
    """Through the same actions as the commands, with entries in the audit log."""
    fleet.sight(ada)
    said = admin.post(f"{PAGE}?order=behind", {"close_person": ada.pk}, follow=True)
    assert said.redirect_chain[0][0].endswith("?order=behind")
    assert "All connections of the person" in said.content.decode()
    assert Event.objects.filter(ends=f"user.{ada.pk}").exists()
    [entry] = recorded("person_disconnected")
    assert (entry.actor_name, entry.target) == ("root", f"user.{ada.pk}")
    assert (
        "A test frame is sent" in admin.post(PAGE, {"test": "id-0"}, follow=True).content.decode()
    )
    assert fleet.tested == ["id-0"]


@pytest.mark.parametrize("given", [{"test": "gone"}, {"close_person": "x"}])
def test_what_fails_is_told(admin: Client, fleet: Fleet, given: dict[str, str]) -> None:
    assert "Not done: expected" in admin.post(PAGE, given, follow=True).content.decode()


def test_rights_to_look_and_to_close(ada: User, fleet: Fleet) -> None:
    """Staff may neither; `view` shows without buttons; `change` closes."""
    ada.is_staff = True
    ada.save()
    client = Client()
    client.force_login(ada)
    fleet.sight(ada)
    assert client.get(PAGE).status_code == 403
    give(ada, "view_liveconnection")
    assert "<button" not in page(client).partition('id="result_list"')[2]
    assert client.post(PAGE, {"test": "id-0"}).status_code == 403
    give(ada, "change_liveconnection")
    assert 'name="close"' in page(client)
    assert client.post(PAGE, {"test": "id-0"}).status_code == 302
    assert "Live connections" in client.get("/admin/").content.decode()


def give(user: User, codename: str) -> None:
    user.user_permissions.add(Permission.objects.get(codename=codename))


def test_forged_post_is_refused(operator: User, fleet: Fleet) -> None:
    client: Any = Client(enforce_csrf_checks=True)
    client.force_login(operator)
    assert client.post(PAGE, {"test": "id-0"}).status_code == 403
    assert fleet.tested == []
