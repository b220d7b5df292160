"""What is recorded: sign-ins, keys, memberships, the admin, kicks; who, from where, the result."""

import json
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.test import Client
from django.urls import reverse

from chat.actions.projects import create_project, delete_project, remove_member, set_member
from chat.models import User
from realtime.fleet.operations import close_user
from realtime.models import ApiKey, AuditEntry
from tests.audit.entries import recorded

pytestmark = pytest.mark.django_db


@pytest.fixture
def ada() -> User:
    user: User = User.objects.create_user("ada", password="right")
    return user


@pytest.fixture
def root() -> User:
    user: User = User.objects.create_superuser("root", password="root")
    return user


@pytest.fixture
def admin(root: User) -> Client:
    client = Client(REMOTE_ADDR="192.0.2.9")
    client.force_login(root)
    return client


def details(entry: AuditEntry) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(entry.details)
    return found


def who(entry: AuditEntry) -> tuple[Any, ...]:
    return (entry.action, entry.actor_name, entry.target, entry.result, entry.address)


def test_sign_in_and_out_by_the_page(ada: User) -> None:
    client = Client(REMOTE_ADDR="192.0.2.1")
    client.post("/sign-in/", {"username": "ada", "password": "right"})
    client.post("/sign-out/")
    own = f"user.{ada.pk}"
    assert [who(entry) for entry in recorded()] == [
        ("sign_in", "ada", own, "done", "192.0.2.1"),
        ("sign_out", "ada", own, "done", "192.0.2.1"),
    ]


def test_sign_in_and_out_by_the_api(ada: User) -> None:
    """The session of a program has the address of its request, too."""
    client = Client(REMOTE_ADDR="192.0.2.2")
    given = {"username": "ada", "password": "right"}
    opened = client.post("/api/sessions/", given, content_type="application/json").json()
    client.delete("/api/sessions/", headers={"authorization": f"Bearer {opened['token']}"})
    entered, left = recorded()
    assert who(entered) == ("sign_in", "ada", f"user.{ada.pk}", "done", "192.0.2.2")
    assert who(left) == ("sign_out", "ada", f"user.{ada.pk}", "done", "192.0.2.2")
    assert opened["token"] not in left.details


@pytest.mark.parametrize(
    ("name", "known"), [("ada", True), ("hunter2-secret", False), ("a\0b", False)]
)
def test_refused_sign_in_keeps_no_credential(ada: User, name: str, known: bool) -> None:
    """Neither the password, nor a name that is nobody's: it may be a password in the wrong
    field."""
    client = Client(REMOTE_ADDR="192.0.2.3")
    client.post("/sign-in/", {"username": name, "password": "wrong-secret"})
    if "\0" in name:
        return  # refused by the form, before anybody is asked
    [entry] = recorded()
    target = f"user.{ada.pk}" if known else "unknown account"
    assert who(entry) == ("sign_in", "", target, "refused", "192.0.2.3")
    assert "secret" not in f"{entry.target}{entry.details}"


def test_keys_are_recorded_without_themselves(admin: Client, ada: User) -> None:
    """Made, revoked and deleted, by whom and for whom."""
    page = admin.post(reverse("admin:realtime_apikey_add"), {"user": ada.pk, "name": "ci"})
    assert page.status_code == 302
    key = ApiKey.objects.get()
    act = {"action": "revoke", "_selected_action": [key.pk]}
    admin.post(reverse("admin:realtime_apikey_changelist"), act)
    credential = key.credential
    key.delete()
    made, revoked, deleted = recorded("api_key_made", "api_key_revoked", "api_key_deleted")
    assert who(made) == ("api_key_made", "root", credential, "done", "192.0.2.9")
    assert who(revoked) == ("api_key_revoked", "root", credential, "done", "192.0.2.9")
    assert details(made) == {"user": ada.pk, "name": "ci", "prefix": key.prefix}
    assert deleted.actor is None
    assert key.digest not in made.details


def test_memberships_are_recorded(ada: User, root: User) -> None:
    """Added, changed, removed; those that end with their project are one entry."""
    project = create_project(ada, name="Apollo")
    set_member(ada, project.pk, user_id=root.pk, role="member")
    set_member(ada, project.pk, user_id=root.pk, role="viewer")
    remove_member(ada, project.pk, root.pk)
    key = project.pk
    delete_project(ada, key)
    entries = recorded()
    assert [entry.action for entry in entries] == [
        "membership_added",
        "membership_added",
        "membership_changed",
        "membership_removed",
        "project_deleted",
    ]
    assert {entry.target for entry in entries} == {f"project.{key}"}
    assert details(entries[2]) == {"user": root.pk, "role": "viewer"}
    assert details(entries[4]) == {"name": "Apollo", "members": 1}


def test_change_by_the_api_names_its_person(ada: User, root: User) -> None:
    """Whom DRF authenticated, by a key."""
    project = create_project(ada, name="Apollo")
    _, text = ApiKey.issue(ada.pk, "ci")
    client = Client(headers={"authorization": f"Api-Key {text}"}, REMOTE_ADDR="192.0.2.4")
    given = {"user": root.pk, "role": "member"}
    address = f"/api/projects/{project.pk}/members/"
    assert client.post(address, given, content_type="application/json").status_code == 201
    entry = recorded("membership_added")[-1]
    assert who(entry)[1:] == ("ada", f"project.{project.pk}", "done", "192.0.2.4")


def test_admin_changes_are_recorded(admin: Client) -> None:
    """Added, changed, and a selection deleted: Django notes that one without a signal."""
    add = reverse("admin:auth_group_add")
    for name in ("one", "two"):
        admin.post(add, {"name": name})
    rows = list(Group.objects.order_by("pk"))
    admin.post(reverse("admin:auth_group_change", args=[rows[0].pk]), {"name": "new"})
    chosen = {"action": "delete_selected", "_selected_action": [r.pk for r in rows], "post": "yes"}
    admin.post(reverse("admin:auth_group_changelist"), chosen)
    assert not Group.objects.exists()
    entries = recorded("admin_addition", "admin_change", "admin_deletion")
    assert [entry.action for entry in entries] == [
        *("admin_addition", "admin_addition", "admin_change"),
        *("admin_deletion", "admin_deletion"),
    ]
    assert who(entries[2])[1:] == ("root", f"auth.group.{rows[0].pk}", "done", "192.0.2.9")
    assert details(entries[2])["changed"] == [{"changed": {"fields": ["Name"]}}]
    assert {entry.target for entry in entries[3:]} == {f"auth.group.{row.pk}" for row in rows}


def test_kick_is_recorded(admin: Client, ada: User) -> None:
    """From the admin, with its operator; from a command, without."""
    act = {"action": "disconnect", "_selected_action": [ada.pk]}
    admin.post(reverse("admin:chat_user_changelist"), act)
    close_user(ada.pk)
    by_admin, by_command = recorded("person_disconnected")
    assert who(by_admin)[1:] == ("root", f"user.{ada.pk}", "done", "192.0.2.9")
    assert (by_command.actor, by_command.address) == (None, None)
