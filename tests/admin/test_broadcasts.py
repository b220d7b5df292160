"""Composing, watching and listing broadcasts in the admin."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from chat.actions.projects import create_project, set_member
from chat.models import Project, User
from realtime.broadcasts.composing import create_broadcast
from realtime.broadcasts.drafts import BroadcastDraft
from realtime.broadcasts.ending import cancel_broadcast
from realtime.broadcasts.publishing import publish_broadcast_now
from realtime.delivery.ranges import Range, Steps
from realtime.delivery.writing import Whose, write
from realtime.log.reading import stream_state
from realtime.models import Broadcast
from realtime.protocol.errors import Unavailable
from tests.audit.entries import recorded

pytestmark = pytest.mark.django_db
ADD = "/admin/realtime/broadcast/add/"
PREVIEW = "/admin/realtime/broadcast/preview/"


def filled(**given: Any) -> dict[str, Any]:
    """The form, as a browser sends it."""
    return {
        "scope": "system",
        "target": "",
        "kind": "broadcast_message",
        "title": "Hello",
        "body": "*all* of you",
        "level": "info",
        "priority": "normal",
        "client_ref": "form-1",
        **given,
    }


def errors(response: Any) -> dict[str, list[str]]:
    found: dict[str, list[str]] = dict(response.context["errors"])
    return found


def page_of(row: Broadcast) -> str:
    return reverse("admin:realtime_broadcast_change", args=[row.pk])


def said(author: User, stream: str, **given: Any) -> Broadcast:
    draft = BroadcastDraft(**{"title": "Hello", "body": "*all* of you", **given})
    row: Broadcast = create_broadcast(author, stream, draft).row
    return row


def published(row: Broadcast) -> Broadcast:
    with transaction.atomic():
        publish_broadcast_now(row.pk)
    row.refresh_from_db()
    return row


def test_everyone_is_asked_for_twice(admin: Client, ada: User) -> None:
    """Without the tick the form comes back with the number of people; nothing is stored."""
    response = admin.post(ADD, filled())
    assert errors(response) == {
        "confirm": ["expected true, because this goes to 2 people; got none"]
    }
    assert not Broadcast.objects.exists()
    response = admin.post(ADD, filled(confirm="on"))
    row = Broadcast.objects.get()
    assert (response.status_code, response["Location"]) == (302, page_of(row))
    assert (row.scope, row.status, row.addressed) == ("system", "queued", 2)
    [entry] = recorded("broadcast_created")
    assert (entry.actor_name, entry.target) == ("root", "system")


def test_same_form_twice_is_one_broadcast(admin: Client, ada: User) -> None:
    """A button that is pressed twice."""
    for _ in range(2):
        assert admin.post(ADD, filled(scope="user", target="ada")).status_code == 302
    assert Broadcast.objects.get().stream.name == f"user.{ada.pk}"


def test_scheduled_and_maintenance(admin: Client, project: Project) -> None:
    """Dates of two inputs each, as the stock admin has them."""
    at = timezone.now() + timedelta(days=1)
    times = {
        "publish_at_0": f"{at:%Y-%m-%d}",
        "publish_at_1": f"{at:%H:%M:%S}",
        "ends_at_0": f"{at + timedelta(hours=2):%Y-%m-%d}",
        "ends_at_1": f"{at + timedelta(hours=2):%H:%M:%S}",
    }
    form = filled(scope="project", target=project.pk, kind="maintenance_mode", on="on", **times)
    assert admin.post(ADD, form).status_code == 302
    row = Broadcast.objects.get()
    assert (row.status, row.kind, row.maintenance_on) == ("scheduled", "maintenance_mode", True)
    assert row.publish_at == at.replace(microsecond=0)
    assert row.expires_at == row.ends_at


@pytest.mark.parametrize(
    ("given", "field", "text"),
    [
        ({"title": ""}, "title", "expected"),
        ({"body": ""}, "body", "expected"),
        ({"body": " \r\n"}, "body", "expected"),
        ({"body": "x" * 8_001}, "body", "expected"),
        ({"title": "a\x01b"}, "title", "printable"),
        ({"target": "12"}, "target", "nothing where everyone"),
        ({"scope": "project", "target": "twelve"}, "target", "a project's id"),
        ({"scope": "project", "target": "9" * 60}, "target", "project.<id>"),
        ({"scope": "project", "target": "999"}, "target", "expected an existing one"),
        ({"scope": "user", "target": "nobody"}, "target", "user name or id"),
        ({"scope": "status"}, "scope", "valid choice"),
        ({"publish_at_0": "2020-01-01", "publish_at_1": "00:00"}, "publish_at", "to come"),
        ({"publish_at_0": "soon", "publish_at_1": "00:00"}, "publish_at", "valid date"),
    ],
)
def test_bad_input_stands_at_its_field(
    admin: Client, ada: User, given: dict[str, str], field: str, text: str
) -> None:
    """In the words of the API; nothing is stored."""
    response = admin.post(ADD, filled(confirm="on", **given))
    assert response.status_code == 200
    found = errors(response)
    assert list(found) == [field]
    assert text in found[field][0]
    assert not Broadcast.objects.exists()


def test_sent_to_oneself_first(admin: Client, operator: User, project: Project) -> None:
    """At once and to nobody else; the form stays as it was, for the real one."""
    form = filled(scope="project", target=project.pk, _self="1")
    response = admin.post(ADD, form)
    assert response.status_code == 200
    assert "Sent to you alone" in response.content.decode()
    assert 'value="Hello"' in response.content.decode()
    assert Broadcast.objects.get().stream.name == f"user.{operator.pk}"
    del form["_self"]
    assert admin.post(ADD, form).status_code == 302
    assert Broadcast.objects.count() == 2


def test_preview_is_rendered_and_counted(admin: Client, project: Project) -> None:
    """Sanitised as the event would be; nothing is stored by looking."""
    body = "**bold** <script>alert(1)</script> [x](javascript:alert(1))"
    form = filled(scope="project", target=project.pk, body=body, title="<b>")
    page = admin.post(PREVIEW, form).content.decode()
    assert "<strong>bold</strong>" in page
    assert "<script" not in page
    assert "href" not in page
    assert "&lt;b&gt;" in page
    assert "<b>2</b> people would get this" in page
    assert not Broadcast.objects.exists()


def test_preview_says_why_nobody_would_get_it(admin: Client, ada: User) -> None:
    page = admin.post(PREVIEW, filled(scope="user", target="nobody", title="")).content.decode()
    assert "Nobody would get this: expected a person" in page


def test_progress_counts_and_names(
    admin: Client, ada: User, operator: User, project: Project
) -> None:
    """Delivered, acknowledged and missing people, as of now."""
    row = published(said(operator, f"project.{project.pk}", must_acknowledge=True))
    part = f"{page_of(row)}?part=progress"
    page = admin.get(part).content.decode()
    assert "0 of 2" in page
    assert "<html" not in page
    assert reverse("admin:chat_user_change", args=[ada.pk]) in page
    state = stream_state(f"project.{project.pk}")
    seq = row.seq or 0
    write({Whose(state.id, ada.pk, state.epoch): Steps([Range(seq, seq)])})
    page = admin.get(part).content.decode()
    assert "1 of 2" in page
    assert reverse("admin:chat_user_change", args=[ada.pk]) not in page
    delivered = admin.get(f"{part}&people=delivered").content.decode()
    assert reverse("admin:chat_user_change", args=[ada.pk]) in delivered


def test_withdrawing_is_a_button(admin: Client, operator: User, project: Project) -> None:
    row = published(said(operator, f"project.{project.pk}"))
    page = admin.post(page_of(row), {"_withdraw": "1"}, follow=True).content.decode()
    assert f"Broadcast {row.pk} is cancelled" in page
    assert "Withdraw" not in page.partition("Progress")[2]
    row.refresh_from_db()
    assert row.status == "cancelled"


def test_selected_are_withdrawn(admin: Client, operator: User, ada: User) -> None:
    """Those that have ended are left alone, and not counted."""
    rows = [said(operator, f"user.{ada.pk}", title=f"{n}") for n in range(3)]
    admin.post(page_of(rows[0]), {"_withdraw": "1"})
    act = {"action": "withdraw", "_selected_action": [row.pk for row in rows]}
    page = admin.post("/admin/realtime/broadcast/", act, follow=True).content.decode()
    assert "2 broadcasts withdrawn" in page


def test_one_that_cannot_be_withdrawn_is_named(
    admin: Client, operator: User, ada: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was a page of error, and nobody knew how far it had come."""
    rows = [said(operator, f"user.{ada.pk}", title=f"{n}") for n in range(3)]

    def cancel(actor: User, broadcast_id: int) -> Broadcast:
        if broadcast_id == rows[1].pk:
            raise Unavailable("expected the database to answer, got none")
        return cancel_broadcast(actor, broadcast_id)

    monkeypatch.setattr("realtime.admin.broadcasts.cancel_broadcast", cancel)
    act = {"action": "withdraw", "_selected_action": [row.pk for row in rows]}
    page = admin.post("/admin/realtime/broadcast/", act, follow=True).content.decode()
    assert f"Broadcast {rows[1].pk} is not withdrawn" in page
    assert "2 broadcasts withdrawn" in page


def test_progress_costs_the_same_for_many(
    admin: Client, ada: User, operator: User, project: Project
) -> None:
    """However many people it went to."""

    def queries(row: Broadcast) -> int:
        with CaptureQueriesContext(connection) as caught:
            assert admin.get(page_of(row)).status_code == 200
        return len(caught)

    few = queries(published(said(operator, f"project.{project.pk}")))
    for number in range(20):
        person = User.objects.create_user(f"p{number}")
        set_member(ada, project.pk, user_id=person.pk, role="member")
    many = published(said(operator, f"project.{project.pk}", title="another"))
    assert many.addressed == 22
    assert queries(many) == few


def test_nothing_is_inline(admin: Client, operator: User, project: Project) -> None:
    """The pages work under a policy without `unsafe-inline`."""
    row = published(said(operator, f"project.{project.pk}"))
    for address in (ADD, page_of(row), "/admin/realtime/broadcast/"):
        text = admin.get(address).content.decode()
        for script in re.findall(r"<script[^>]*>", text):
            assert "src=" in script or 'type="application/json"' in script
        assert not re.search(r"<style|\sstyle=|\son[a-z]+=|javascript:", text)


def test_list_has_its_tools(admin: Client, operator: User, ada: User) -> None:
    """Filters, search, a link to compose, and the export."""
    row = said(operator, f"user.{ada.pk}", title="=1+1")
    page = admin.get("/admin/realtime/broadcast/", {"q": "=1", "status": "queued"}).content.decode()
    assert page_of(row) in page
    assert 'href="/admin/realtime/broadcast/add/"' in page
    assert "export/?q=%3D1&amp;status=queued" in page


def test_rights(ada: User, operator: User, project: Project) -> None:
    """Staff see their own; to compose needs a permission, and to speak the right for the stream."""
    ada.is_staff = True
    ada.save()
    client = Client()
    client.force_login(ada)
    theirs = said(operator, f"user.{operator.pk}")
    assert client.get(ADD).status_code == 403
    assert client.post(PREVIEW, filled()).status_code == 403
    assert client.get("/admin/realtime/broadcast/").status_code == 403
    assert client.get(page_of(theirs)).status_code == 403
    for codename in ("add_broadcast", "view_broadcast"):
        ada.user_permissions.add(Permission.objects.get(codename=codename))
    own = said(ada, f"project.{project.pk}")
    page = client.get("/admin/realtime/broadcast/").content.decode()
    assert page_of(own) in page
    assert page_of(theirs) not in page
    assert "Nobody would get this" in client.post(PREVIEW, filled()).content.decode()
    response = client.post(ADD, filled(confirm="on"))
    assert "right to speak to everyone" in errors(response)["__all__"][0]


def test_unknown_broadcast_leads_back(admin: Client) -> None:
    for key in ("999999", "x", "9" * 40):
        response = admin.get(f"/admin/realtime/broadcast/{key}/change/")
        assert (response.status_code, response["Location"]) == (302, "/admin/")


def test_forged_post_is_refused(operator: User) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(operator)
    assert client.post(ADD, filled(confirm="on")).status_code == 403
    assert client.post(PREVIEW, filled()).status_code == 403
    assert not Broadcast.objects.exists()


def test_page_follows_its_authors_own_stream(admin: Client, operator: User, ada: User) -> None:
    """Which hears the counts of one's own broadcasts, also where `status` may not be read."""
    project = create_project(ada, name="Apollo")
    own, anothers = (
        said(author, f"project.{project.pk}", title=author.username) for author in (operator, ada)
    )
    assert f'data-streams="status user.{operator.pk}"' in admin.get(page_of(own)).content.decode()
    assert 'data-streams="status"' in admin.get(page_of(anothers)).content.decode()
