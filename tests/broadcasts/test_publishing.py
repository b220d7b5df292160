"""A broadcast goes out once, is counted, and ends."""

from collections.abc import Callable
from datetime import timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest
from django.db import transaction
from django.utils import timezone

from chat.actions.projects import remove_member, set_member
from chat.models import User
from realtime.broadcasts import standing
from realtime.broadcasts.counts import counted
from realtime.broadcasts.ending import expire_broadcast, settle_counts
from realtime.delivery.ranges import Steps
from realtime.delivery.writing import Whose, write
from realtime.log.opening import read_opening
from realtime.models import Broadcast, DeliveredRange, Event, Job
from realtime.models.broadcast import BroadcastStatus
from realtime.protocol.streams import StreamName
from realtime.sockets import acks
from tests.api.conftest import ApiClient, Team, assert_problem, person
from tests.broadcasts.conftest import arrive, frames_of, path

Publish = Callable[[int], Broadcast]
TEXT = {"title": "Hello", "body": "*all* of you"}


@pytest.fixture
def compose(team: Team, owner: ApiClient) -> Callable[..., int]:
    def post(**fields: object) -> int:
        response = owner.post(path(f"project/{team.project.pk}"), {**TEXT, **fields})
        assert response.status_code == 202, response.content
        number: int = response.json()["id"]
        return number

    return post


Compose = Callable[..., int]


def test_event_is_published_once(team: Team, compose: Compose, publish: Publish) -> None:
    """However often the job runs: one event, with the rendered text, and the state beside it."""
    row = publish(compose())
    publish(row.pk)
    [frame] = frames_of(team.stream, "broadcast_message")
    assert row.status == BroadcastStatus.PUBLISHED
    assert (row.seq, row.addressed) == (frame["seq"], 3)
    assert frame["data"]["html"] == "<p><em>all</em> of you</p>"
    assert frame["data"]["author"]["name"] == "Ada"


def test_counts_are_of_people(team: Team, compose: Compose, publish: Publish) -> None:
    """Several devices and several acknowledgements are one person; who comes later is `late`."""
    row = publish(compose(must_acknowledge=True))
    assert row.seq is not None
    for _ in range(2):
        arrive(team.stream, team.member.pk, row.seq, row.seq)
        arrive(team.stream, team.member.pk, 1, row.seq)
    arrive(team.stream, team.viewer.pk, 1, row.seq - 1)
    for _ in range(2):
        assert ApiClient(team.owner).post(path(f"{row.pk}/acknowledge")).status_code == 200
    late = person("late")
    set_member(team.owner, team.project.pk, user_id=late.pk, role="member")
    arrive(team.stream, late.pk, 1, row.seq + 1)
    body = ApiClient(team.owner).get(path(str(row.pk))).json()
    counts = {name: body[name] for name in ("addressed", "delivered", "acknowledged", "late")}
    assert counts == {"addressed": 3, "delivered": 2, "acknowledged": 1, "late": 1}


def test_who_leaves_stays_counted(team: Team, compose: Compose, publish: Publish) -> None:
    """They were addressed and got it; coming back does not make them late."""
    row = publish(compose())
    assert row.seq is not None
    arrive(team.stream, team.member.pk, 1, row.seq)
    remove_member(team.owner, team.project.pk, team.member.pk)
    set_member(team.owner, team.project.pk, user_id=team.member.pk, role="member")
    body = ApiClient(team.owner).get(path(str(row.pk))).json()
    assert (body["delivered"], body["late"]) == (1, 0)


def test_cancelled_before_it_is_sent(
    team: Team, owner: ApiClient, compose: Compose, publish: Publish
) -> None:
    """Nothing is sent, also where the job was running already."""
    row_id = compose()
    assert owner.post(path(f"{row_id}/cancel")).json()["status"] == "cancelled"
    assert Job.objects.get().state == "cancelled"
    assert publish(row_id).seq is None
    assert frames_of(team.stream, "broadcast_message", "system_notification") == []


@pytest.mark.parametrize("kind", ["broadcast_message", "system_notification"])
def test_cancelled_afterwards_is_taken_back(
    team: Team, console: ApiClient, publish: Publish, kind: str
) -> None:
    """Its texts leave the log, one notification tells of it, and the counts stay."""
    end = path(f"project/{team.project.pk}")
    row = publish(console.post(end, {**TEXT, "kind": kind}).json()["id"])
    assert row.seq is not None
    arrive(team.stream, team.member.pk, 1, row.seq)
    report = console.post(path(f"{row.pk}/cancel")).json()
    assert (report["status"], report["delivered"]) == ("cancelled", 1)
    *_, blank, told = frames_of(team.stream, kind, "system_notification")
    notice = blank["data"].get("notice", blank["data"])
    assert (notice["title"], notice["body"], notice["html"]) == ("", "", "")
    assert notice["expired"] is True
    assert told["data"]["broadcast"] == row.pk
    assert told["data"]["state"] == "cancelled"
    arrive(team.stream, team.viewer.pk, 1, row.seq)
    assert console.get(path(str(row.pk))).json()["delivered"] == 1
    head = told["seq"]
    console.post(path(f"{row.pk}/cancel"))
    assert frames_of(team.stream, "system_notification")[-1]["seq"] == head


def test_expiry_blanks_and_freezes(team: Team, compose: Compose, publish: Publish) -> None:
    """Its own job does it at the moment; before that nothing happens. A resume from a node's ring
    gave the text of an expired one: the event says up to where rings must forget."""
    expires = timezone.now() + timedelta(hours=1)
    row = publish(compose(expires_at=expires.isoformat()))
    ending = Job.objects.get(name="realtime.end_broadcast")
    assert ending.run_after == expires
    with transaction.atomic():
        expire_broadcast(row.pk)
    assert Broadcast.objects.get().status == BroadcastStatus.PUBLISHED
    Broadcast.objects.update(expires_at=timezone.now())
    assert row.seq is not None
    arrive(team.stream, team.member.pk, 1, row.seq)
    with transaction.atomic():
        expire_broadcast(row.pk)
    after = Broadcast.objects.get()
    assert (after.status, after.delivered) == (BroadcastStatus.EXPIRED, 1)
    frame, told = frames_of(team.stream, "broadcast_message", "system_notification")
    assert frame["data"]["expired"] is True
    assert "of you" not in str(frame)
    assert (told["data"]["broadcast"], told["data"]["state"]) == (row.pk, "expired")
    assert Event.objects.get(stream__name=team.stream, seq=told["seq"]).blanks == row.seq
    with transaction.atomic():
        expire_broadcast(row.pk)
    assert len(frames_of(team.stream, "system_notification")) == 1


def test_expired_while_it_waited_is_not_sent(
    team: Team, compose: Compose, publish: Publish
) -> None:
    """A worker that was away must not send what is over."""
    row_id = compose(expires_at=(timezone.now() + timedelta(hours=1)).isoformat())
    Broadcast.objects.update(expires_at=timezone.now())
    assert publish(row_id).status == BroadcastStatus.EXPIRED
    assert frames_of(team.stream, "broadcast_message") == []


def test_snapshot_has_what_stands(team: Team, compose: Compose, publish: Publish) -> None:
    """As the event says it, with one's own acknowledgement; not what has ended."""
    gone = publish(compose(title="gone"))
    ApiClient(team.owner).post(path(f"{gone.pk}/cancel"))
    row = publish(compose(must_acknowledge=True))
    ApiClient(team.member).post(path(f"{row.pk}/acknowledge"))

    def shown(user: object) -> list[dict[str, object]]:
        name = StreamName.parse(team.stream)
        snapshot = read_opening(user, name, None, want_snapshot=True).snapshot
        assert snapshot is not None
        listed: list[dict[str, object]] = snapshot["broadcasts"]
        return listed

    *_, frame = frames_of(team.stream, "broadcast_message")
    expected = {"type": "broadcast_message", "seq": row.seq, "data": frame["data"]}
    [mine], [theirs] = shown(team.member), shown(team.viewer)
    assert mine.pop("acknowledged") is True
    assert theirs.pop("acknowledged") is False
    for found in (mine, theirs):
        found["data"] = {"expired": False, **found["data"]}  # type: ignore[dict-item]
        assert found == expected


def test_acknowledging_is_for_readers_of_what_stands(
    team: Team, compose: Compose, publish: Publish
) -> None:
    """Not for strangers, not where none was asked for, not after the end."""
    asked, unasked = publish(compose(must_acknowledge=True)), publish(compose(title="other"))
    member = ApiClient(team.member)
    stranger = ApiClient(team.stranger)
    assert_problem(stranger.post(path(f"{asked.pk}/acknowledge")), 404, "not_found")
    assert_problem(member.post(path("999/acknowledge")), 404, "not_found")
    assert_problem(member.post(path(f"{unasked.pk}/acknowledge")), 409, "conflict")
    first = member.post(path(f"{asked.pk}/acknowledge")).json()
    assert member.post(path(f"{asked.pk}/acknowledge")).json() == first
    [told] = frames_of(f"user.{team.member.pk}", "system_notification")
    assert (told["data"]["broadcast"], told["data"]["state"]) == (asked.pk, "acknowledged")
    ApiClient(team.owner).post(path(f"{asked.pk}/cancel"))
    viewer = ApiClient(team.viewer)
    assert_problem(viewer.post(path(f"{asked.pk}/acknowledge")), 409, "conflict")


def test_newest_maintenance_replaces_the_one_before(
    team: Team, console: ApiClient, publish: Publish
) -> None:
    """One state of maintenance stands in a stream."""
    given = {**TEXT, "kind": "maintenance_mode", "confirm": True}
    ends = timezone.now() + timedelta(hours=2)
    first = publish(
        console.post(path("system"), {**given, "ends_at": ends.isoformat()}).json()["id"]
    )
    assert first.expires_at == ends
    over = console.post(path("system"), {**given, "title": "Done", "on": False}).json()["id"]
    publish(over)
    first.refresh_from_db()
    assert first.status == BroadcastStatus.COMPLETED
    before, told, after = frames_of("system", "maintenance_mode", "system_notification")
    assert (told["data"]["broadcast"], told["data"]["state"]) == (first.pk, "completed")
    assert (before["data"]["on"], before["data"]["text"]) == (True, "")
    assert (after["data"]["on"], after["data"]["notice"]["title"]) == (False, "Done")


def test_others_do_not_see_a_broadcast(team: Team, compose: Compose, publish: Publish) -> None:
    """Its members read the event; its fate is for its author and whoever may speak there."""
    row_id = compose()
    assert_problem(ApiClient(team.member).get(path(str(row_id))), 404, "not_found")
    assert_problem(ApiClient(team.member).post(path(f"{row_id}/cancel")), 404, "not_found")
    assert ApiClient(team.member).get(path("active")).json()["results"] == []
    [own] = ApiClient(team.owner).get(path("active")).json()["results"]
    assert own["id"] == row_id


def test_project_that_is_gone_is_not_spoken_to(
    team: Team, compose: Compose, publish: Publish
) -> None:
    """Nobody is left; the log of a deleted project stays closed."""
    row_id = compose()
    team.project.delete()
    assert publish(row_id).status == BroadcastStatus.FAILED
    assert frames_of(team.stream, "broadcast_message") == []


def test_broadcast_outlives_its_author(
    team: Team, operator: User, console: ApiClient, publish: Publish
) -> None:
    """What they said stands, without a name."""
    row_id = console.post(path(f"project/{team.project.pk}"), TEXT).json()["id"]
    operator.delete()
    row = publish(row_id)
    assert (row.status, row.author) == (BroadcastStatus.PUBLISHED, None)
    [frame] = frames_of(team.stream, "broadcast_message")
    assert frame["data"]["author"] is None


def test_snapshot_claims_only_what_it_shows(
    team: Team, operator: User, compose: Compose, publish: Publish, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A snapshot has the newest 20 that stand, and counted as the delivery of all of them."""
    monkeypatch.setattr(standing, "SHOWN", 2)
    rows = [publish(compose(title=f"Number {number}")) for number in range(3)]
    name = StreamName.parse(team.stream)

    def come(user: User) -> None:
        """As `subscribe` with a snapshot, and the sweep after it."""
        opening = read_opening(user, name, None, want_snapshot=True)
        steps = Steps()
        monkeypatch.setattr(acks, "steps_of", lambda *_: steps)
        stream = SimpleNamespace(id=opening.state.id)
        sink = SimpleNamespace(user_id=user.pk)
        begun = SimpleNamespace(cursor=opening.state.head, stream=stream, sink=sink)
        acks.opened(cast("Any", begun), "e", recovered=False, snapshot=opening.snapshot)
        write({Whose(opening.state.id, user.pk, opening.state.epoch): steps})

    come(team.member)
    assert [counted(row).delivered for row in rows] == [0, 1, 1]
    ApiClient(team.owner).post(path(f"{rows[2].pk}/cancel"))
    come(team.viewer)
    assert [counted(row).delivered for row in rows[:2]] == [1, 2]
    ApiClient(team.owner).post(path(f"{rows[1].pk}/cancel"))
    come(team.owner)
    assert DeliveredRange.objects.get(user=team.owner).lo == 1, "expected all, where all is shown"


def test_cut_snapshot_claims_what_is_left() -> None:
    """The older half of a list that was too large has not arrived."""
    listed = [{"seq": 7}, {"seq": 9}]
    assert standing.shown_from({"broadcasts": listed}) == 1
    assert standing.shown_from({"broadcasts": listed, "cut": True}) == 7
    assert standing.shown_from({"broadcasts": [], "cut": True}) == 1
    assert standing.shown_from({}) == 1


@pytest.mark.parametrize("status", ["cancelled", "expired"])
def test_acknowledgements_on_their_way_at_the_end_are_counted(
    team: Team, owner: ApiClient, compose: Compose, publish: Publish, status: str
) -> None:
    """What a node had not written yet was missing for ever. Who comes only afterwards is not
    added, and much later nobody is."""
    row = publish(compose())
    assert row.seq is not None
    if status == "cancelled":
        owner.post(path(f"{row.pk}/cancel"))
    else:
        Broadcast.objects.update(expires_at=timezone.now())
        with transaction.atomic():
            expire_broadcast(row.pk)
    ended = Broadcast.objects.get()
    assert ended.ended_at is not None
    assert (ended.status, ended.delivered) == (status, 0)
    settling = Job.objects.get(name="realtime.settle_broadcast")
    assert settling.run_after > ended.ended_at + timedelta(seconds=3)
    arrive(team.stream, team.member.pk, row.seq, row.seq)
    late = person("late")
    set_member(team.owner, team.project.pk, user_id=late.pk, role="member")
    arrive(team.stream, late.pk, 1, row.seq + 1)
    with transaction.atomic():
        settle_counts(row.pk)
    settled = Broadcast.objects.get()
    assert (settled.delivered, settled.late) == (1, 0)
    arrive(team.stream, team.viewer.pk, row.seq, row.seq)
    Broadcast.objects.update(ended_at=timezone.now() - timedelta(minutes=1))
    with transaction.atomic():
        settle_counts(row.pk)
    assert Broadcast.objects.get().delivered == 1


def test_complete_one_needs_no_settling(
    team: Team, owner: ApiClient, compose: Compose, publish: Publish
) -> None:
    row = publish(compose())
    for user in (team.owner, team.member, team.viewer):
        arrive(team.stream, user.pk, 1, row.seq or 0)
    owner.post(path(f"{row.pk}/cancel"))
    assert not Job.objects.filter(name="realtime.settle_broadcast").exists()
