"""What may be said by whom, and what is refused with which words."""

import json
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from chat.actions.projects import remove_member, set_member
from realtime.audit import gathering
from realtime.audit.recording import write_recorded
from realtime.models import AuditEntry, Broadcast, Job
from realtime.models.broadcast import BroadcastStatus
from tests.api.conftest import ApiClient, Team, assert_problem, person
from tests.broadcasts.conftest import path

TEXT = {"title": "Hello", "body": "*all* of you"}


def in_s(seconds: float) -> str:
    return (timezone.now() + timedelta(seconds=seconds)).isoformat()


def test_owner_speaks_to_a_project(team: Team, owner: ApiClient) -> None:
    """202 with id, state and the number of people; a job is queued in the same transaction."""
    response = owner.post(path(f"project/{team.project.pk}"), TEXT)
    assert response.status_code == 202
    row = Broadcast.objects.get()
    assert response.json() == {"id": row.pk, "status": "queued", "recipients": 3}
    assert row.html == "<p><em>all</em> of you</p>"
    job = Job.objects.get(pk=row.job or 0)
    assert job.arguments == {"broadcast": row.pk}
    owner.post(path(f"{row.pk}/cancel"))
    write_recorded()
    entries = AuditEntry.objects.filter(actor=team.owner.pk, action__startswith="broadcast_")
    assert list(entries.order_by("seq").values_list("action", "target")) == [
        ("broadcast_created", team.stream),
        ("broadcast_cancelled", team.stream),
    ]


@pytest.mark.parametrize(
    ("who", "end", "status"),
    [
        ("member", "project", 403),
        ("stranger", "project", 404),
        ("owner", "user", 403),
        ("owner", "system", 403),
        ("stranger", "system", 403),
    ],
)
def test_nothing_is_stored_without_the_right(
    team: Team, monkeypatch: pytest.MonkeyPatch, who: str, end: str, status: int
) -> None:
    """Projects are spoken to by owners, people by staff, everyone by operators. The audit log says
    who tried."""
    monkeypatch.setattr(gathering, "_gathered", gathering.Gathered())
    ends = {
        "project": f"project/{team.project.pk}",
        "user": f"user/{team.member.pk}",
        "system": "system",
    }
    client = ApiClient(getattr(team, who))
    code = {403: "forbidden", 404: "not_found"}[status]
    assert_problem(client.post(path(ends[end]), {**TEXT, "confirm": True}), status, code)
    assert not Broadcast.objects.exists()
    assert not Job.objects.exists()
    gathering.write(gathering._gathered)
    write_recorded()
    [entry] = AuditEntry.objects.filter(action="broadcast_refused")
    assert (entry.actor, entry.result) == (getattr(team, who).pk, code)
    assert entry.address == "127.0.0.1"


def test_maintenance_is_for_operators(team: Team, owner: ApiClient, console: ApiClient) -> None:
    """An owner may speak to the project, not announce maintenance there; an operator may."""
    given = {**TEXT, "kind": "maintenance_mode"}
    end = path(f"project/{team.project.pk}")
    assert_problem(owner.post(end, given), 403, "forbidden")
    assert console.post(end, given).status_code == 202


def test_staff_speaks_to_a_person(team: Team) -> None:
    """Being staff is enough for that, and for no more."""
    clerk = ApiClient(person("clerk", is_staff=True))
    assert clerk.post(path(f"user/{team.member.pk}"), TEXT).json()["recipients"] == 1
    assert_problem(clerk.post(path("system"), {**TEXT, "confirm": True}), 403, "forbidden")


def test_system_broadcast_wants_to_be_confirmed(team: Team, console: ApiClient) -> None:
    """Without `confirm` a problem with the number of people, and nothing is stored."""
    body = assert_problem(console.post(path("system"), TEXT), 409, "conflict")
    assert body["details"] == {"recipients": 5}
    assert not Broadcast.objects.exists()
    assert console.post(path("system"), {**TEXT, "confirm": True}).json()["recipients"] == 5


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"title": ""}, "title"),
        ({"body": ""}, "body"),
        ({"body": "  \n"}, "body"),
        ({"body": "x" * 8_001}, "body"),
        ({"body": "bell \x07"}, "body"),
        ({"level": "loud"}, "level"),
        ({"priority": "now"}, "priority"),
        ({"kind": "new_message"}, "kind"),
        ({"must_acknowledge": "yes"}, "must_acknowledge"),
        ({"publish_at": "2020-01-01T00:00:00Z"}, "publish_at"),
        ({"publish_at": "2026-01-01T00:00:00"}, "publish_at"),
        ({"publish_at": "9999-12-31T23:59:59-12:00"}, "publish_at"),
        ({"expires_at": "0001-01-01T00:00:00+12:00"}, "expires_at"),
        ({"expires_at": "2020-01-01T00:00:00Z"}, "expires_at"),
        ({"publish_at": -5}, "publish_at"),
        ({"expires_at": -5}, "expires_at"),
        ({"publish_at": 3600, "expires_at": 60}, "expires_at"),
        ({"starts_at": 3600, "ends_at": 60}, "ends_at"),
        ({"publish_at": 3600, "ends_at": 60}, "ends_at"),
    ],
)
def test_wrong_field_is_named(
    team: Team, owner: ApiClient, given: dict[str, Any], field: str
) -> None:
    """Problem details say which field, and nothing is stored. Numbers are seconds from now."""
    moments = {name: in_s(value) for name, value in given.items() if isinstance(value, int)}
    sent = {**TEXT, **given, **{n: v for n, v in moments.items() if n.endswith("_at")}}
    response = owner.post(path(f"project/{team.project.pk}"), sent)
    long = field == "body" and len(sent["body"]) > 8_000
    body = assert_problem(response, *((413, "too_large") if long else (400, "bad_request")))
    assert field in body["errors"]
    assert not Broadcast.objects.exists()


def test_megabyte_is_refused(team: Team, owner: ApiClient) -> None:
    """Before it is parsed."""
    sent = {**TEXT, "body": "x" * 1_048_576}
    assert_problem(owner.post(path(f"project/{team.project.pk}"), sent), 413, "too_large")
    assert not Broadcast.objects.exists()
    assert not Job.objects.exists()


def test_text_that_grows_beyond_a_frame_is_refused(team: Team, owner: ApiClient) -> None:
    """The poster hears of it, not a job that could never publish it."""
    sent = {**TEXT, "body": "\n\n".join([">" * 18 + "a"] * 380)}
    body = assert_problem(owner.post(path(f"project/{team.project.pk}"), sent), 400, "bad_request")
    assert body["detail"].startswith("body: ")
    assert list(body["errors"]) == ["body"]
    assert not Broadcast.objects.exists()


@pytest.mark.parametrize("end", ["project/999", "user/999"])
def test_unknown_target_is_not_found(console: ApiClient, end: str) -> None:
    body = assert_problem(console.post(path(end), TEXT), 404, "not_found")
    assert list(body["errors"]) == [end.split("/", maxsplit=1)[0]]
    assert not Broadcast.objects.exists()


def test_same_key_makes_one_broadcast(team: Team, owner: ApiClient) -> None:
    """Header or `client_ref`; with another text it is a conflict."""
    end = path(f"project/{team.project.pk}")
    key = {"headers": {"idempotency-key": "k1"}}
    first = owner.post(end, TEXT, **key).json()
    assert owner.post(end, TEXT, **key).json() == first
    assert owner.post(end, {**TEXT, "client_ref": "k1"}).json() == first
    assert_problem(owner.post(end, {**TEXT, "body": "other"}, **key), 409, "conflict")
    assert_problem(owner.post(end, {**TEXT, "client_ref": "k2"}, **key), 400, "bad_request")
    assert Broadcast.objects.count() == 1


def test_same_key_gives_the_broadcast_also_after_its_moment(
    team: Team, owner: ApiClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A retry was answered with 400 once `publish_at` had passed, and nobody knew what was sent."""
    end = path(f"project/{team.project.pk}")
    sent = {**TEXT, "client_ref": "k1", "publish_at": in_s(60), "expires_at": in_s(90)}
    first = owner.post(end, sent).json()
    later = timezone.now() + timedelta(seconds=120)
    monkeypatch.setattr("realtime.broadcasts.drafts.timezone.now", lambda: later)
    assert owner.post(end, sent).json() == first
    body = assert_problem(owner.post(end, {**sent, "client_ref": "k2"}), 400, "bad_request")
    assert list(body["errors"]) == ["publish_at"]


def test_same_text_within_a_minute_is_refused(team: Team, owner: ApiClient) -> None:
    """With the id of the earlier one; not where that one was withdrawn, nor a minute later."""
    end = path(f"project/{team.project.pk}")
    first = owner.post(end, TEXT).json()["id"]
    body = assert_problem(owner.post(end, TEXT), 409, "conflict")
    assert body["details"] == {"broadcast": first}
    owner.post(path(f"{first}/cancel"))
    second = owner.post(end, TEXT).json()["id"]
    Broadcast.objects.filter(pk=second).update(created_at=timezone.now() - timedelta(seconds=61))
    assert owner.post(end, TEXT).status_code == 202


def test_authors_have_a_limit_per_minute(team: Team, owner: ApiClient, settings: Any) -> None:
    """Temporary, and it says when there is room again."""
    settings.PM = settings.PM.model_copy(update={"broadcast_limit_project": 2})
    end = path(f"project/{team.project.pk}")
    for number in range(2):
        assert owner.post(end, {**TEXT, "title": f"n {number}"}).status_code == 202
    body = assert_problem(owner.post(end, {**TEXT, "title": "more"}), 429, "rate_limited")
    assert 0 < body["retry_after_ms"] <= 60_000
    Broadcast.objects.update(created_at=timezone.now() - timedelta(seconds=61))
    assert owner.post(end, {**TEXT, "title": "more"}).status_code == 202


def test_scheduled_one_waits(team: Team, owner: ApiClient) -> None:
    """Its job is not due before."""
    sent = {**TEXT, "publish_at": in_s(3600)}
    row_id = owner.post(path(f"project/{team.project.pk}"), sent).json()["id"]
    row = Broadcast.objects.get(pk=row_id)
    assert row.status == BroadcastStatus.SCHEDULED
    job = Job.objects.get(pk=row.job or 0)
    assert job.state == "scheduled"
    assert job.run_after == row.publish_at


def refusals() -> list[tuple[int | None, str, str, dict[str, Any]]]:
    """As the sweep of a node writes them."""
    gathering.write(gathering._gathered)
    write_recorded()
    entries = AuditEntry.objects.filter(action="broadcast_refused").order_by("seq")
    return [(one.actor, one.target, one.result, json.loads(one.details)) for one in entries]


def test_strangers_withdrawal_is_in_the_audit_log(
    team: Team, owner: ApiClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was answered with 404 and left no trace. One that never existed is nobody's business."""
    monkeypatch.setattr(gathering, "_gathered", gathering.Gathered())
    row_id = owner.post(path(f"project/{team.project.pk}"), TEXT).json()["id"]
    stranger = ApiClient(team.stranger)
    assert_problem(stranger.post(path(f"{row_id}/cancel")), 404, "not_found")
    assert_problem(stranger.post(path("999999/cancel")), 404, "not_found")
    assert Broadcast.objects.get().status == BroadcastStatus.QUEUED
    details = {"kind": "broadcast_message", "cancel": row_id}
    assert refusals() == [(team.stranger.pk, team.stream, "not_found", details)]


@pytest.mark.parametrize("now", ["member", "nobody"])
def test_former_owner_watches_and_does_not_withdraw(
    team: Team, monkeypatch: pytest.MonkeyPatch, now: str
) -> None:
    """To take it back is to speak to the project. What they said, and to how many, stays theirs to
    see."""
    monkeypatch.setattr(gathering, "_gathered", gathering.Gathered())
    set_member(team.owner, team.project.pk, user_id=team.member.pk, role="owner")
    author = ApiClient(team.member)
    row_id = author.post(path(f"project/{team.project.pk}"), TEXT).json()["id"]
    if now == "member":
        set_member(team.owner, team.project.pk, user_id=team.member.pk, role="member")
    else:
        remove_member(team.owner, team.project.pk, team.member.pk)
    assert author.get(path(str(row_id))).json()["status"] == "queued"
    assert_problem(author.post(path(f"{row_id}/cancel")), 403, "forbidden")
    details = {"kind": "broadcast_message", "cancel": row_id}
    assert refusals() == [(team.member.pk, team.stream, "forbidden", details)]
    assert ApiClient(team.owner).post(path(f"{row_id}/cancel")).json()["status"] == "cancelled"
