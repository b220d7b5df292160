"""What time does: failures are noted, old ones end, ended ones become numbers."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from realtime.broadcasts import cleaning
from realtime.jobs.operations import retry_job
from realtime.models import (
    Broadcast,
    BroadcastAcknowledgement,
    BroadcastAudience,
    BroadcastDay,
    Job,
    JobState,
)
from realtime.models.broadcast import BroadcastStatus
from tests.api.conftest import ApiClient, Team
from tests.broadcasts.conftest import arrive, frames_of, path

Publish = Callable[[int], Broadcast]
TEXT = {"title": "Hello", "body": "*all* of you"}


@pytest.fixture
def row(team: Team, owner: ApiClient, publish: Publish) -> Broadcast:
    """One that stands, has reached one of three, and was acknowledged by one."""
    end = path(f"project/{team.project.pk}")
    found = publish(owner.post(end, {**TEXT, "must_acknowledge": True}).json()["id"])
    assert found.seq is not None
    arrive(team.stream, team.viewer.pk, 1, found.seq)
    ApiClient(team.member).post(path(f"{found.pk}/acknowledge"))
    return found


def days_ago(days: float) -> Any:
    return timezone.now() - timedelta(days=days)


def mend() -> None:
    """As the periodic job does it."""
    for broadcast_id in cleaning.forsaken():
        cleaning.note_failure(broadcast_id)
    for broadcast_id in cleaning.overdue():
        cleaning.end_overdue(broadcast_id)


def test_dead_job_is_a_failure_that_can_be_retried(
    team: Team, owner: ApiClient, publish: Publish
) -> None:
    """Seen by whoever asked for it; another chance for the job sends it after all."""
    row_id = owner.post(path(f"project/{team.project.pk}"), TEXT).json()["id"]
    mend()
    assert Broadcast.objects.get().status == BroadcastStatus.QUEUED
    Job.objects.update(state=JobState.DEAD, error_class="builtins.ValueError")
    mend()
    report = owner.get(path(str(row_id))).json()
    assert report["status"] == "failed"
    assert report["job"]["error_class"] == "builtins.ValueError"
    assert retry_job(report["job"]["id"])
    assert publish(row_id).status == BroadcastStatus.PUBLISHED
    assert len(frames_of(team.stream, "broadcast_message")) == 1


def test_overdue_one_is_ended_without_its_job(row: Broadcast) -> None:
    """The job that should have ended it may be dead; the grace is the job's own."""
    Broadcast.objects.update(expires_at=timezone.now())
    mend()
    assert Broadcast.objects.get().status == BroadcastStatus.PUBLISHED
    Broadcast.objects.update(expires_at=timezone.now() - timedelta(minutes=2))
    mend()
    assert Broadcast.objects.get().status == BroadcastStatus.EXPIRED


def test_one_without_expiry_is_completed_in_the_end(row: Broadcast, settings: Any) -> None:
    """Or it would stand in every snapshot for ever."""
    settings.PM = settings.PM.model_copy(update={"broadcast_retention_days": 7})
    Broadcast.objects.update(published_at=days_ago(6.9))
    mend()
    assert Broadcast.objects.get().status == BroadcastStatus.PUBLISHED
    Broadcast.objects.update(published_at=days_ago(7.1))
    mend()
    after = Broadcast.objects.get()
    assert (after.status, after.delivered) == (BroadcastStatus.COMPLETED, 2)
    [frame] = frames_of(row.stream.name, "broadcast_message")
    assert frame["data"]["body"] == ""


def test_numbers_stay_when_the_rest_goes(
    row: Broadcast, owner: ApiClient, console: ApiClient, settings: Any
) -> None:
    """Texts, lists of people and acknowledgements are gone; the sums are what they were."""
    settings.PM = settings.PM.model_copy(update={"broadcast_retention_days": 7})
    owner.post(path(f"{row.pk}/cancel"))
    before = console.get(path("stats")).json()
    assert (before["addressed"], before["delivered"], before["acknowledged"]) == (3, 2, 1)
    assert cleaning.clean_away() == 0
    Broadcast.objects.update(ended_at=days_ago(7.1))
    assert cleaning.clean_away() == 1
    assert cleaning.clean_away() == 0
    for model in (Broadcast, BroadcastAudience, BroadcastAcknowledgement):
        assert not model._default_manager.exists()
    assert console.get(path("stats")).json() == before
    assert BroadcastDay.objects.get().number == 1
    assert owner.get(path("stats")).json()["total"] == 0


def test_what_stands_is_never_cleaned_away(row: Broadcast) -> None:
    """However old."""
    Broadcast.objects.update(created_at=days_ago(999), ended_at=None)
    assert cleaning.clean_away() == 0
    assert Broadcast.objects.exists()
