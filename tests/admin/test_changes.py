"""What is changed in the admin reaches every connected client: it is in the log."""

import json
from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission
from django.test import Client
from django.urls import reverse

from chat.actions.memories import store_memory
from chat.actions.messages import delete_message, send_message
from chat.models import Membership, Memory, Message, Project, User
from realtime.models import Event
from realtime.protocol.streams import user_stream
from tests.admin.conftest import event_types, head

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def lock_order_is_checked(settings: Any) -> None:
    """As in development: a wrong order of locks raises instead of deadlocking some day."""
    settings.DEBUG = True


@pytest.fixture
def stream(project: Project) -> str:
    return f"project.{project.pk}"


def members_form(rows: list[dict[str, Any]], initial: int) -> dict[str, Any]:
    form: dict[str, Any] = {
        "memberships-TOTAL_FORMS": len(rows),
        "memberships-INITIAL_FORMS": initial,
        "memberships-MIN_NUM_FORMS": 0,
        "memberships-MAX_NUM_FORMS": 1000,
    }
    for number, row in enumerate(rows):
        form |= {f"memberships-{number}-{name}": value for name, value in row.items()}
    return form


def test_edited_message_is_published(
    admin: Client, ada: User, project: Project, stream: str
) -> None:
    """The event carries the new text and the moment of the edit."""
    message = send_message(ada, project.pk, body="before").message
    seq = head(stream)
    address = reverse("admin:chat_message_change", args=[message.pk])
    assert admin.post(address, {"body": "after"}).status_code == 302
    assert event_types(stream, seq) == ["message_updated"]
    frame = json.loads(bytes(Event.objects.get(type="message_updated").frame))
    assert frame["data"]["message"]["body"] == "after"
    assert frame["data"]["message"]["edited_at"] is not None


def test_saving_without_a_change_tells_nothing(
    admin: Client, ada: User, project: Project, stream: str
) -> None:
    """Also where the browser sends CRLF for the line feeds that the text has."""
    message = send_message(ada, project.pk, body="one\ntwo").message
    seq = head(stream)
    address = reverse("admin:chat_message_change", args=[message.pk])
    assert admin.post(address, {"body": "one\r\ntwo"}).status_code == 302
    [own, seen] = project.memberships.order_by("pk")
    rows = [
        {"id": row.pk, "project": project.pk, "user": row.user_id, "role": row.role}
        for row in (own, seen)
    ]
    form = {"name": project.name, "description": "", **members_form(rows, 2)}
    assert (
        admin.post(reverse("admin:chat_project_change", args=[project.pk]), form).status_code == 302
    )
    assert head(stream) == seq
    message.refresh_from_db()
    assert (message.body, message.edited_at) == ("one\ntwo", None)
    assert admin.post(address, {"body": "one\r\nthree"}).status_code == 302
    message.refresh_from_db()
    assert message.body == "one\nthree"


@pytest.mark.parametrize(
    "body",
    ["", " \t\r\n\u00a0", "a\x01b", "a\x00b", "x" * 16_001],
    ids=["none", "white", "C0", "NUL", "long"],
)
def test_bad_text_is_refused_in_the_form(
    admin: Client, ada: User, project: Project, stream: str, body: str
) -> None:
    """As by the API: the form comes back with the reason, and nothing is stored."""
    message = send_message(ada, project.pk, body="before").message
    seq = head(stream)
    response = admin.post(reverse("admin:chat_message_change", args=[message.pk]), {"body": body})
    assert response.status_code == 200
    assert response.context["adminform"].form.errors["body"]
    message.refresh_from_db()
    assert message.body == "before"
    assert head(stream) == seq


def test_message_of_a_person_cannot_be_added(admin: Client, project: Project) -> None:
    """Operators do not write in other people's names."""
    assert admin.get(reverse("admin:chat_message_add")).status_code == 403


def test_deleted_message_keeps_its_place_without_text(
    admin: Client, ada: User, project: Project, stream: str
) -> None:
    """Deleting is what a person's deleting is: the row stays for its replies, the text goes."""
    message = send_message(ada, project.pk, body="secret").message
    reply = send_message(ada, project.pk, body="reply", reply_to=message.pk).message
    seq = head(stream)
    address = reverse("admin:chat_message_delete", args=[message.pk])
    assert admin.get(address).status_code == 200
    assert admin.post(address, {"post": "yes"}).status_code == 302
    message.refresh_from_db()
    assert (message.body, message.deleted_at is not None) == ("", True)
    assert Message.objects.get(pk=reply.pk).reply_to_id == message.pk
    assert event_types(stream, seq) == ["message_deleted"]
    frames = Event.objects.filter(stream__name=stream).values_list("frame", flat=True)
    assert not any(b"secret" in bytes(frame) for frame in frames)


def test_delete_selected_announces_each_message_once(
    admin: Client, ada: User, project: Project, stream: str
) -> None:
    """Nothing is marked silently, and what was deleted already is not told again."""
    rows = [send_message(ada, project.pk, body=f"m{n}").message for n in range(3)]
    delete_message(ada, rows[0].pk)
    seq = head(stream)
    form = {
        "action": "delete_selected",
        "_selected_action": [row.pk for row in rows],
        "post": "yes",
    }
    assert admin.post(reverse("admin:chat_message_changelist"), form).status_code == 302
    assert event_types(stream, seq) == ["message_deleted"] * 2
    assert not Message.objects.exclude(body="").exists()


def test_memory_is_added_changed_and_deleted(admin: Client, project: Project, stream: str) -> None:
    """Each is an event; an empty reference is none, so that many memories may have none."""
    formset = {
        "dependencies-TOTAL_FORMS": 0,
        "dependencies-INITIAL_FORMS": 0,
    }
    fields = {"title": "fact", "body": "b", "kind": "fact", "importance": "0.5", "reference": ""}
    seq = head(stream)
    for _ in range(2):
        form = {**fields, **formset, "project": project.pk}
        assert admin.post(reverse("admin:chat_memory_add"), form).status_code == 302
    row, other = Memory.objects.order_by("pk")
    assert row.reference is None
    change = reverse("admin:chat_memory_change", args=[row.pk])
    dependency = {"dependencies-TOTAL_FORMS": 1, "dependencies-0-depends_on": other.pk}
    form = {**fields, **formset, **dependency, "title": "new", "dependencies-0-memory": row.pk}
    assert admin.post(change, form).status_code == 302
    bad = admin.post(change, {**fields, **formset, "importance": "7"})
    assert bad.context["adminform"].form.errors["importance"]
    delete = reverse("admin:chat_memory_delete", args=[row.pk])
    assert admin.post(delete, {"post": "yes"}).status_code == 302
    types = event_types(stream, seq)
    assert types[:4] == ["memory_stored", "memory_stored", "memory_updated", "dependency_updated"]
    assert types[-1] == "memory_deleted"


def test_delete_selected_memories_announces_each(
    admin: Client, ada: User, project: Project, stream: str
) -> None:
    """The bulk path of the model's own QuerySet."""
    rows = [store_memory(ada, project.pk, title=str(n)) for n in range(3)]
    seq = head(stream)
    form = {
        "action": "delete_selected",
        "_selected_action": [row.pk for row in rows],
        "post": "yes",
    }
    assert admin.post(reverse("admin:chat_memory_changelist"), form).status_code == 302
    assert event_types(stream, seq) == ["memory_deleted"] * 3
    assert not Memory.objects.exists()


def test_dependency_stays_within_the_project(admin: Client, ada: User, project: Project) -> None:
    """Another project's memory is refused in the form."""
    mine = store_memory(ada, project.pk, title="mine")
    elsewhere = Project(name="Other", created_by=ada)
    elsewhere.save()
    other = store_memory(ada, elsewhere.pk, title="other")
    form = {"memory": mine.pk, "depends_on": other.pk}
    response = admin.post(reverse("admin:chat_memorydependency_add"), form)
    assert response.context["adminform"].form.errors["depends_on"]


def test_project_is_added_with_its_owner(admin: Client, ada: User) -> None:
    """The creator named in the form owns it, as by the API."""
    form = {"name": "Gemini", "description": "", "created_by": ada.pk}
    assert admin.post(reverse("admin:chat_project_add"), form).status_code == 302
    row = Project.objects.get(name="Gemini")
    assert row.memberships.get().user == ada
    assert "project_created" in event_types(f"user.{ada.pk}")


def test_project_and_its_members_change_together(
    admin: Client, ada: User, operator: User, project: Project, stream: str
) -> None:
    """One form renames, promotes, removes and adds; people's streams are locked in order."""
    new = User.objects.create_user("new", password="x", pk=10**6)
    # Locked on its own, the new member's stream would come after one that sorts behind it.
    assert user_stream(new.pk) < max(user_stream(ada.pk), user_stream(operator.pk))
    own, seen = project.memberships.get(user=ada), project.memberships.get(user=operator)
    seq = head(stream)
    rows = [
        {"id": own.pk, "project": project.pk, "user": new.pk, "role": "owner"},
        {
            "id": seen.pk,
            "project": project.pk,
            "user": operator.pk,
            "role": "viewer",
            "DELETE": "on",
        },
        {"id": "", "project": project.pk, "user": new.pk, "role": "member"},
    ]
    form = {"name": "Renamed", "description": "", **members_form(rows, 2)}
    address = reverse("admin:chat_project_change", args=[project.pk])
    assert admin.post(address, form).status_code == 302
    project.refresh_from_db()
    assert project.name == "Renamed"
    # The forged person in the first row is ignored: who a membership belongs to stays.
    assert set(project.memberships.values_list("user_id", flat=True)) == {ada.pk, new.pk}
    assert sorted(event_types(stream, seq)) == ["project_joined", "project_left", "project_updated"]


def test_project_and_person_can_be_deleted(
    admin: Client, ada: User, project: Project, stream: str
) -> None:
    """Rows that are read-only in the admin go along; the last event says so."""
    send_message(ada, project.pk, body="x", client_ref="r")
    address = reverse("admin:chat_project_delete", args=[project.pk])
    page = admin.get(address)
    assert page.status_code == 200
    assert admin.post(address, {"post": "yes"}).status_code == 302
    assert not Project.objects.exists()
    assert event_types(stream)[-1] == "project_deleted"
    address = reverse("admin:chat_user_delete", args=[ada.pk])
    assert admin.post(address, {"post": "yes"}).status_code == 302
    assert not User.objects.filter(pk=ada.pk).exists()


def test_membership_ends_in_both_streams(
    admin: Client, operator: User, project: Project, stream: str
) -> None:
    """A removal by an operator withdraws the right to read, live."""
    row = Membership.objects.get(project=project, user=operator)
    address = reverse("admin:chat_membership_delete", args=[row.pk])
    assert admin.post(address, {"post": "yes"}).status_code == 302
    last = Event.objects.filter(stream__name=stream).latest("seq")
    assert (last.type, last.ends) == ("project_left", f"user.{operator.pk}")
    assert event_types(f"user.{operator.pk}")[-1] == "project_left"


def test_group_with_the_right_to_status_is_taken_in_the_form(admin: Client, ada: User) -> None:
    """Account and groups are saved in one transaction, its streams locked in their order."""
    group = Group.objects.create(name="watchers")
    group.permissions.add(Permission.objects.get(codename="view_status"))
    ada.groups.add(group)
    before = head("status")
    address = reverse("admin:chat_user_change", args=[ada.pk])
    fields = admin.get(address).context["adminform"].form.initial
    form = {name: fields[name] for name in ("username", "first_name", "last_name", "email")}
    joined = {"date_joined_0": "2026-01-01", "date_joined_1": "00:00:00", "is_active": "on"}
    response = admin.post(address, {**form, **joined})
    assert response.status_code == 302, response.context["adminform"].form.errors
    assert not ada.groups.exists()
    assert head("status") == before + 1
