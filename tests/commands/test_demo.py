"""`manage.py demo`: the same demo on every call, whose sign-ins work."""

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth import authenticate
from django.core.management import CommandError, call_command
from django.db import connection

from chat.demo import KEYS_KEPT, Demo, ensure_demo
from chat.models import Membership, Memory, Message, Project, User
from realtime.models import ApiKey, Event
from realtime.security.identity import identity_of_header
from tests.commands.conftest import ROOT, Manage, manage_environment


def demo(*arguments: str) -> Any:
    output = StringIO()
    call_command("demo", "--json", *arguments, stdout=output)
    return json.loads(output.getvalue())


def keys_of(found: Any) -> list[str | None]:
    return [one["api_key"] for one in (*found["users"], found["admin"])]


@pytest.mark.usefixtures("demonstrating")
def test_demo_has_exactly_the_promised_form() -> None:
    """Programs read it, so names and order of the people are fixed."""
    found = demo()
    assert found.keys() == {"project", "users", "admin"}
    assert found["project"].keys() == {"id", "name"}
    assert [user["role"] for user in found["users"]] == ["owner", "member"]
    assert all(
        user.keys() == {"id", "username", "password", "api_key", "role"} for user in found["users"]
    )
    assert found["admin"].keys() == {"username", "password", "api_key"}


@pytest.mark.usefixtures("demonstrating")
def test_demo_sign_ins_work() -> None:
    """Passwords and keys are those of the accounts, with the roles that are printed."""
    found = demo()
    for one in (*found["users"], found["admin"]):
        user = authenticate(username=one["username"], password=one["password"])
        assert user is not None
        assert identity_of_header(f"Api-Key {one['api_key']}").user == user
    for one in found["users"]:
        membership = Membership.objects.get(user_id=one["id"], project_id=found["project"]["id"])
        assert membership.role == one["role"]
    admin = User.objects.get(username=found["admin"]["username"])
    assert (admin.is_staff, admin.is_superuser) == (True, True)


@pytest.mark.usefixtures("demonstrating")
def test_demo_again_changes_nothing_and_hides_the_keys() -> None:
    """The second call prints the same, writes no event and cannot know the keys."""
    first = demo()
    events = Event.objects.count()
    second = demo()
    assert keys_of(second) == [None, None, None]
    for found in (first, second):
        for one in (*found["users"], found["admin"]):
            del one["api_key"]
    assert first == second
    assert Event.objects.count() == events


@pytest.mark.usefixtures("demonstrating")
def test_demo_has_first_content() -> None:
    """Both people have said something, and there are memories, one resting on another."""
    project = demo()["project"]["id"]
    said = Message.objects.filter(project=project)
    assert set(said.values_list("author__username", flat=True)) == {"ada", "grace"}
    assert Memory.objects.filter(project=project, dependencies__isnull=False).count() == 1


@pytest.mark.usefixtures("demonstrating")
def test_new_keys_work_and_the_oldest_are_revoked() -> None:
    """Keys do not pile up for ever, and the one that is printed is among those that work."""
    first = demo()["users"][0]["api_key"]
    issued = [demo("--new-keys")["users"][0]["api_key"] for _ in range(KEYS_KEPT)]
    assert len({first, *issued}) == KEYS_KEPT + 1
    identity_of_header(f"Api-Key {issued[-1]}")
    valid = ApiKey.objects.filter(user__username="ada", revoked_at=None)
    assert valid.count() == KEYS_KEPT


@pytest.mark.usefixtures("demonstrating")
def test_demo_repairs_what_somebody_changed() -> None:
    """A changed password, a closed account, a lost membership: what is printed works again."""
    before = demo()
    grace = User.objects.get(username="grace")
    grace.set_password("something else")
    grace.is_active = False
    grace.save()
    Membership.objects.get(user=grace).delete()
    after = demo()
    assert after["users"][1]["password"] == before["users"][1]["password"]
    assert authenticate(username="grace", password=after["users"][1]["password"]) == grace
    assert Membership.objects.get(user=grace, project_id=after["project"]["id"]).role == "member"


@pytest.mark.usefixtures("demonstrating")
def test_demo_never_takes_another_account() -> None:
    """Regression: an `admin` made by createsuperuser must keep its password."""
    own = User.objects.create_superuser("admin", "me@example.org", "my own password")
    found = demo()
    own.refresh_from_db()
    assert own.check_password("my own password")
    assert found["admin"]["username"] == "demo-admin"


@pytest.mark.usefixtures("demonstrating")
def test_another_secret_sets_the_passwords_anew(settings: Any) -> None:
    """A new data folder on a database that has the demo: the passwords it prints work."""
    first = demo()
    settings.SECRET_KEY = "another folder's secret, of enough characters"
    second = demo()
    assert second["project"] == first["project"]
    assert second["users"][0]["password"] != first["users"][0]["password"]
    assert authenticate(username="ada", password=second["users"][0]["password"]) is not None


@pytest.mark.usefixtures("demonstrating")
def test_demo_refuses_outside_debug(settings: Any) -> None:
    """Known accounts do not belong on a real site."""
    settings.DEBUG = False
    with pytest.raises(CommandError, match="expected DEBUG to be on, got off"):
        demo()
    assert not User.objects.exists()


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("demonstrating")
def test_two_demos_at_once_are_one() -> None:
    """As from two machines, past the folder's lock: the database itself lets one wait."""

    def ensure() -> Demo:
        try:
            return ensure_demo()
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as pool:
        first, second = [one.result(30) for one in [pool.submit(ensure), pool.submit(ensure)]]
    assert first.project_id == second.project_id
    assert Project.objects.count() == 1
    assert User.objects.count() == ApiKey.objects.count() == 3
    assert {first.admin.api_key is None, second.admin.api_key is None} == {True, False}


def test_demo_on_a_new_folder_makes_the_database(tmp_path: Path) -> None:
    """Two real processes at once on an empty folder: both end well, stdout is one JSON object."""
    command = [sys.executable, "manage.py", "demo", "--json"]
    environment = manage_environment(tmp_path)
    running = [
        subprocess.Popen(
            command, cwd=ROOT, env=environment, text=True, stdout=subprocess.PIPE, stderr=None
        )
        for _ in range(2)
    ]
    try:
        printed = [json.loads(one.communicate(timeout=60)[0]) for one in running]
    finally:
        for one in running:
            one.kill()
    assert [one.returncode for one in running] == [0, 0]
    assert printed[0]["users"][0]["password"] == printed[1]["users"][0]["password"]
    assert sorted(keys_of(one) == [None, None, None] for one in printed) == [False, True]


def test_demo_outside_debug_exits_with_one_line(manage: Manage) -> None:
    """No traceback: it is the operator's choice, not a fault."""
    ended = manage("demo", "--json", DEBUG="false", SECRET_KEY="x" * 40)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr.startswith("CommandError: expected DEBUG to be on")
    assert ended.stderr.count("\n") == 1


def test_demo_does_not_migrate_another_database(manage: Manage, tmp_path: Path) -> None:
    """A database that DATABASE_URL names is somebody's: it says what to run instead."""
    ended = manage("demo", DATABASE_URL=f"sqlite:///{tmp_path / 'other.sqlite3'}")
    assert (ended.returncode, ended.stdout) == (1, "")
    assert "run manage.py migrate" in ended.stderr
    assert "Traceback" not in ended.stderr
