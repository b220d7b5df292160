"""A ban of a person: the account, what it is told, what is recorded, and how it ends."""

import json
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from chat.models import User
from realtime.bans.imposing import ban_person, expire_ban, lift_ban
from realtime.models import ApiKey, Ban, Event, Job
from realtime.protocol.errors import BadRequest, Conflict, Forbidden, NotFound
from realtime.security.identity import sign_in
from tests.audit.entries import recorded

pytestmark = pytest.mark.django_db


def active(user: User) -> bool:
    return bool(User.objects.get(pk=user.pk).is_active)


def test_ban_ends_every_way_in(root: User, ada: User) -> None:
    """A key, a token, a cookie, a password: 403, which says how long; after the end all of them
    serve again."""
    _, key = ApiKey.issue(ada.pk, "ci")
    token, _ = sign_in(ada, 3600)
    browser = Client()
    browser.force_login(ada)
    ban = ban_person(root, ada.pk, reason="spam", until=None)
    answers = [
        Client().get("/api/me/", headers={"authorization": f"Api-Key {key}"}),
        Client().get("/api/me/", headers={"authorization": f"Bearer {token}"}),
        browser.get("/api/me/"),
        Client().post(
            "/api/sessions/",
            {"username": "ada", "password": "right"},
            content_type="application/json",
        ),
    ]
    for answer in answers:
        problem = answer.json()
        assert (answer.status_code, problem["code"]) == (403, "forbidden"), problem
        assert "banned for good" in problem["detail"]
        assert "spam" not in answer.content.decode()
    page = Client().post("/sign-in/", {"username": "ada", "password": "right"}).content.decode()
    assert "This account is banned for good." in page
    lift_ban(root, ban.pk)
    assert browser.get("/api/me/").status_code == 200
    header = {"authorization": f"Api-Key {key}"}
    assert Client().get("/api/me/", headers=header).status_code == 200


def test_who_does_not_know_the_password_is_not_told(root: User, ada: User) -> None:
    """A wrong password of a banned account is as any other wrong one."""
    ban_person(root, ada.pk, reason="spam", until=None)
    given = {"username": "ada", "password": "wrong"}
    answer = Client().post("/api/sessions/", given, content_type="application/json")
    assert answer.status_code == 401
    assert "banned" not in answer.content.decode()
    assert "banned" not in Client().post("/sign-in/", given).content.decode()


def test_deactivated_is_not_banned(ada: User) -> None:
    """An inactive account without a ban is refused as before."""
    _, key = ApiKey.issue(ada.pk, "ci")
    ada.is_active = False
    ada.save()
    answer = Client().get("/api/me/", headers={"authorization": f"Api-Key {key}"})
    assert answer.status_code == 401


def test_ban_and_its_end_are_recorded(root: User, ada: User) -> None:
    until = timezone.now() + timedelta(hours=1)
    ban = ban_person(root, ada.pk, reason="spam", until=until)
    lift_ban(root, ban.pk)
    lift_ban(root, ban.pk)
    made, lifted = recorded("ban_made", "ban_lifted", "ban_expired")
    assert (made.action, made.actor, made.target) == ("ban_made", root.pk, f"user.{ada.pk}")
    expected = {"ban": ban.pk, "reason": "spam", "until": until.isoformat()}
    assert json.loads(made.details) == expected
    assert (lifted.action, lifted.actor, lifted.target) == (
        *("ban_lifted", root.pk),
        f"user.{ada.pk}",
    )


def test_ban_ends_at_its_time(root: User, ada: User) -> None:
    """By a job of that moment, in its transaction, once."""
    until = timezone.now() + timedelta(hours=1)
    ban = ban_person(root, ada.pk, reason="spam", until=until)
    job = Job.objects.get(name="realtime.end_ban")
    assert (job.run_after, job.arguments) == (until, {"ban": ban.pk})
    assert not active(ada)
    expire_ban(ban.pk)
    expire_ban(ban.pk)
    assert active(ada)
    [entry] = recorded("ban_expired")
    assert (entry.actor, entry.target) == (None, f"user.{ada.pk}")


def test_deactivated_account_stays_so_after_its_ban(root: User, ada: User) -> None:
    ada.is_active = False
    ada.save()
    ban = ban_person(root, ada.pk, reason="spam", until=None)
    lift_ban(root, ban.pk)
    assert not active(ada)


def test_activation_by_hand_ends_the_ban(root: User, ada: User) -> None:
    """Account and ban never contradict each other; another change of the account ends nothing."""
    ban = ban_person(root, ada.pk, reason="spam", until=None)
    row = User.objects.get(pk=ada.pk)
    row.first_name = "Ada"
    row.save()
    assert Ban.objects.get(pk=ban.pk).ended_at is None
    row.is_active = True
    row.save()
    assert Ban.objects.get(pk=ban.pk).ended_at is not None
    assert [entry.action for entry in recorded("ban_lifted")] == ["ban_lifted"]


def test_ending_of_the_ban_comes_first(root: User, ada: User) -> None:
    """It says why; that of the deactivation finds nobody any more."""
    ban_person(root, ada.pk, reason="spam", until=None)
    ends = Event.objects.filter(stream__name=f"user.{ada.pk}", ends=f"user.{ada.pk}")
    kinds = [json.loads(bytes(one.frame))["data"]["kind"] for one in ends.order_by("seq")]
    assert kinds == ["banned", "credentials_ended"]


def test_who_may_ban_whom(root: User, ada: User) -> None:
    """Needs the permission; nobody bans themselves, nor a superuser who is none."""
    bob = User.objects.create_user("bob", is_staff=True)
    with pytest.raises(Forbidden):
        ban_person(bob, ada.pk, reason="x", until=None)
    with pytest.raises(Forbidden):
        ban_person(root, root.pk, reason="x", until=None)
    give(bob, "add_ban")
    bob = User.objects.get(pk=bob.pk)
    with pytest.raises(Forbidden):
        ban_person(bob, root.pk, reason="x", until=None)
    ban = ban_person(bob, ada.pk, reason="x", until=None)
    with pytest.raises(Forbidden):
        lift_ban(bob, ban.pk)
    assert Ban.objects.count() == 1


def give(user: User, codename: str) -> None:
    from django.contrib.auth.models import Permission

    user.user_permissions.add(Permission.objects.get(codename=codename))


def test_bad_input_leaves_nothing(root: User, ada: User) -> None:
    """No reason, a moment that is past, nobody, somebody who is banned."""
    past = timezone.now() - timedelta(seconds=1)
    with pytest.raises(BadRequest, match="reason"):
        ban_person(root, ada.pk, reason=" ", until=None)
    with pytest.raises(BadRequest, match="until"):
        ban_person(root, ada.pk, reason="x", until=past)
    with pytest.raises(NotFound):
        ban_person(root, 10**9, reason="x", until=None)
    assert active(ada)
    assert not Ban.objects.exists()
    ban_person(root, ada.pk, reason="x", until=None)
    with pytest.raises(Conflict):
        ban_person(root, ada.pk, reason="x", until=None)
