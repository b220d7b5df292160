"""What the core does by the clock, and that many workers do it once."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from realtime.jobs import chores
from realtime.jobs.periodic import enqueue_periodic, ensure_periodic_rows
from realtime.models import Job, JobState, PeriodicJob
from realtime.trimmer import RETENTION, worker_trims
from tests.jobs import declared
from tests.log.world import together

pytestmark = pytest.mark.django_db(transaction=True)


def ended(state: JobState, days_ago: float) -> Job:
    moment = timezone.now() - timedelta(days=days_ago)
    return Job.objects.create(name="x", state=state, finished_at=moment)


def forget() -> int:
    states = (JobState.DONE, JobState.CANCELLED, JobState.DEAD)
    return sum(chores.forget_finished(state) for state in states)


def test_finished_jobs_are_forgotten_after_a_week() -> None:
    """What waits, runs or needs a person stays."""
    kept = {ended(JobState.DONE, 6.9), ended(JobState.DEAD, 30), ended(JobState.QUEUED, 30)}
    ended(JobState.DONE, 7.1)
    ended(JobState.CANCELLED, 7.1)
    assert forget() == 2
    assert set(Job.objects.all()) == kept


def test_only_so_many_finished_jobs_are_kept(monkeypatch: Any) -> None:
    """The newest of each state, dead ones too."""
    monkeypatch.setattr(chores, "KEPT_ROWS", 2)
    done = [ended(JobState.DONE, days) for days in (1, 2, 3, 4)]
    dead = [ended(JobState.DEAD, days) for days in (1, 2, 3)]
    assert forget() == 3
    assert set(Job.objects.all()) == {*done[:2], *dead[:2]}


def test_periodic_job_is_enqueued_once_whoever_looks() -> None:
    """Four workers at the same moment; again only when its period is over."""
    ensure_periodic_rows()
    ensure_periodic_rows()
    counts = together(*[enqueue_periodic] * 4)
    assert sum(counts) == PeriodicJob.objects.count()
    ticks = Job.objects.filter(name=declared.tick.job_name)
    assert ticks.count() == 1
    assert enqueue_periodic() == 0
    past = timezone.now() - timedelta(seconds=1)
    PeriodicJob.objects.filter(name=declared.tick.job_name).update(next_at=past)
    assert enqueue_periodic() == 1
    assert ticks.count() == 1, "expected none beside one that still waits"


def test_shorter_period_counts_at_once() -> None:
    """After a deploy nobody waits for the end of the old, longer one."""
    far = timezone.now() + timedelta(days=1)
    PeriodicJob.objects.create(name=declared.tick.job_name, next_at=far)
    ensure_periodic_rows()
    row = PeriodicJob.objects.get(name=declared.tick.job_name)
    assert row.next_at < timezone.now() + timedelta(seconds=5)


def test_servers_trim_where_no_worker_does() -> None:
    """And leave the log to a worker as long as one lives."""
    assert not worker_trims()
    ensure_periodic_rows()
    enqueue_periodic()
    assert worker_trims()
    dead = timezone.now() - timedelta(hours=1)
    PeriodicJob.objects.filter(name=RETENTION).update(next_at=dead)
    assert not worker_trims()
