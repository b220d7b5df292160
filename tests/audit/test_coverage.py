"""Every kind of deed that operators look for has an entry, whole: who, what, on what, from which
address, when, and how it ended.

Refused sockets need a server: `test_refused.py`. One closed socket: `tests/fleet`.
"""

from collections.abc import Callable
from datetime import timedelta
from typing import Any, NamedTuple

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from chat.actions.projects import create_project
from chat.models import Project, User
from realtime.audit.recording import write_recorded
from realtime.models import ApiKey, AuditEntry, Ban

pytestmark = pytest.mark.django_db
FROM = "192.0.2.77"
JSON = "application/json"


class Scene(NamedTuple):
    """An operator in the admin, and ada, the owner of a project, with a key."""

    root: User
    ada: User
    bob: User
    project: Project
    admin: Client
    api: Client


@pytest.fixture
def scene(db: None) -> Scene:
    root = User.objects.create_superuser("root", password="root")
    ada = User.objects.create_user("ada", password="right")
    bob = User.objects.create_user("bob", password="x")
    admin = Client(REMOTE_ADDR=FROM)
    admin.force_login(root)
    _, key = ApiKey.issue(ada.pk, "ci")
    api = Client(headers={"authorization": f"Api-Key {key}"}, REMOTE_ADDR=FROM)
    made = Scene(root, ada, bob, create_project(ada, name="Apollo"), admin, api)
    write_recorded()
    return made


def sign_in(scene: Scene, password: str = "right") -> Client:
    client = Client(REMOTE_ADDR=FROM)
    client.post("/sign-in/", {"username": "ada", "password": password})
    return client


def add_member(scene: Scene) -> Any:
    address = f"/api/projects/{scene.project.pk}/members/"
    return scene.api.post(address, {"user": scene.bob.pk, "role": "member"}, content_type=JSON)


def act(scene: Scene, model: str, action: str, *keys: int) -> Any:
    chosen = {"action": action, "_selected_action": keys}
    return scene.admin.post(reverse(f"admin:{model}_changelist"), chosen)


def make_key(scene: Scene) -> None:
    scene.admin.post(reverse("admin:realtime_apikey_add"), {"user": scene.ada.pk, "name": "new"})


def revoke_key(scene: Scene) -> None:
    act(scene, "realtime_apikey", "revoke", ApiKey.objects.get(name="ci").pk)


def change_member(scene: Scene) -> None:
    add_member(scene)
    address = f"/api/projects/{scene.project.pk}/members/{scene.bob.pk}/"
    scene.api.patch(address, {"role": "viewer"}, content_type=JSON)


def remove_member(scene: Scene) -> None:
    add_member(scene)
    scene.api.delete(f"/api/projects/{scene.project.pk}/members/{scene.bob.pk}/")


def broadcast(scene: Scene) -> int:
    address = f"/api/websocket/broadcast/project/{scene.project.pk}"
    said = scene.api.post(address, {"title": "t", "body": "b"}, content_type=JSON)
    return int(said.json()["id"])


def ban(scene: Scene, **fields: Any) -> None:
    answer = scene.admin.post(reverse("admin:realtime_ban_add"), {"reason": "spam", **fields})
    assert answer.status_code == 302, answer.content.decode()


def lift(scene: Scene) -> None:
    ban(scene, user=scene.bob.pk)
    act(scene, "realtime_ban", "lift", Ban.objects.get().pk)


Deed = Callable[[Scene], Any]
# The deed, its last entry's action, who, on what, the result.
DEEDS: dict[str, tuple[Deed, str, str, Callable[[Scene], str], str]] = {
    "sign-in": (sign_in, "sign_in", "ada", lambda s: f"user.{s.ada.pk}", "done"),
    "wrong sign-in": (
        *(lambda s: sign_in(s, "wrong"), "sign_in", ""),
        *(lambda s: f"user.{s.ada.pk}", "refused"),
    ),
    "sign-out": (
        *(lambda s: sign_in(s).post("/sign-out/"), "sign_out", "ada"),
        *(lambda s: f"user.{s.ada.pk}", "done"),
    ),
    "key made": (
        *(make_key, "api_key_made", "root"),
        *(lambda s: f"key.{ApiKey.objects.get(name='new').pk}", "done"),
    ),
    "key revoked": (
        *(revoke_key, "api_key_revoked", "root"),
        *(lambda s: f"key.{ApiKey.objects.get(name='ci').pk}", "done"),
    ),
    "member added": (
        *(add_member, "membership_added", "ada"),
        *(lambda s: f"project.{s.project.pk}", "done"),
    ),
    "member changed": (
        *(change_member, "membership_changed", "ada"),
        *(lambda s: f"project.{s.project.pk}", "done"),
    ),
    "member removed": (
        *(remove_member, "membership_removed", "ada"),
        *(lambda s: f"project.{s.project.pk}", "done"),
    ),
    "broadcast": (
        *(broadcast, "broadcast_created", "ada"),
        *(lambda s: f"project.{s.project.pk}", "done"),
    ),
    "broadcast withdrawn": (
        lambda s: s.api.post(f"/api/websocket/broadcast/{broadcast(s)}/cancel"),
        *("broadcast_cancelled", "ada"),
        *(lambda s: f"project.{s.project.pk}", "done"),
    ),
    "admin change": (
        lambda s: s.admin.post(reverse("admin:auth_group_add"), {"name": "one"}),
        *("admin_addition", "root"),
        *(lambda s: f"auth.group.{_group()}", "done"),
    ),
    "kick": (
        *(lambda s: act(s, "chat_user", "disconnect", s.bob.pk), "person_disconnected", "root"),
        *(lambda s: f"user.{s.bob.pk}", "done"),
    ),
    "ban of a person": (
        *(lambda s: ban(s, user=s.bob.pk), "ban_made", "root"),
        *(lambda s: f"user.{s.bob.pk}", "done"),
    ),
    "ban of a network": (
        *(lambda s: ban(s, network="203.0.113.7/24"), "ban_made", "root"),
        *(lambda s: "network.203.0.113.0/24", "done"),
    ),
    "ban lifted": (lift, "ban_lifted", "root", lambda s: f"user.{s.bob.pk}", "done"),
}


def _group() -> int:
    from django.contrib.auth.models import Group

    return int(Group.objects.get(name="one").pk)


@pytest.mark.parametrize("deed", DEEDS)
def test_deed_has_its_whole_entry(scene: Scene, deed: str) -> None:
    """By a request with an address; once."""
    do, action, who, target, result = DEEDS[deed]
    known = AuditEntry.objects.count()
    began = timezone.now()
    do(scene)
    write_recorded()
    found = AuditEntry.objects.filter(seq__gt=known, action=action)
    [entry] = found.order_by("seq")
    assert (entry.actor_name, entry.target, entry.result) == (who, target(scene), result)
    assert entry.address == FROM
    assert began - timedelta(seconds=1) <= entry.at <= timezone.now()
