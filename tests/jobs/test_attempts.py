"""How attempts of a job end: failed, stopped, lost to another worker, handed back."""

import asyncio
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from django_tasks.base import TaskResultStatus

from realtime.database import in_database
from realtime.jobs import LeaseLost, cancel_job
from realtime.jobs.claiming import claim
from realtime.jobs.due import bring_due
from realtime.jobs.worker import Worker
from realtime.metrics.core import JOB_S, JOBS_ENDED
from realtime.models import IncidentReport, Job, JobState
from tests.jobs import declared
from tests.jobs.beside import (
    claimed,
    expire_leases,
    options_with,
    state_of,
    until,
    worked,
    working,
)

pytestmark = pytest.mark.django_db(transaction=True)


def test_attempts_are_counted_by_how_they_ended() -> None:
    """And each is timed, those of periodic jobs too."""
    before, timed = dict(JOBS_ENDED.series()), sum(JOB_S.counts)
    for task in (declared.nothing, declared.nothing, declared.give_up):
        task.enqueue()
    worked()
    new = {series: count - before.get(series, 0) for series, count in JOBS_ENDED.series()}
    assert new[f"jobs_ended|{declared.nothing.job_name}|done"] == 2
    assert new[f"jobs_ended|{declared.give_up.job_name}|failed"] == 1
    assert sum(JOB_S.counts) - timed == sum(new.values())


def test_failing_job_is_tried_again_then_dead(seen: list[str], monkeypatch: Any) -> None:
    """With the traceback of its last attempt; the next one is a person's to begin."""
    monkeypatch.setattr("realtime.jobs.ending.BACKOFF_S", 0.01)
    result = declared.fail.enqueue(what="x")
    working(lambda _: until(lambda: state_of(result.id) == JobState.DEAD, "a dead job"))
    assert seen == ["x.1", "x.2"]
    result.refresh()
    assert result.status is TaskResultStatus.FAILED
    assert result.errors[0].exception_class is ValueError
    assert 'raise ValueError(f"no good: {what}")' in result.errors[0].traceback
    assert result.errors[0].traceback.endswith("ValueError: no good: x\n")


def test_hopeless_job_is_dead_at_once() -> None:
    result = declared.give_up.enqueue()
    worked()
    row = Job.objects.get(pk=result.id)
    assert (row.state, row.attempt, row.max_attempts) == (JobState.DEAD, 1, 5)


def test_job_says_when_to_try_again() -> None:
    """As a service asked, neither earlier nor by the back-off's chance."""
    result = declared.later.enqueue(after_s=300.0)
    worked()
    row = Job.objects.get(pk=result.id)
    assert row.state == JobState.SCHEDULED
    pause = row.run_after - timezone.now()
    assert timedelta(seconds=290) < pause <= timedelta(seconds=300)


def test_slow_job_is_stopped_at_its_limit() -> None:
    result = declared.slow.enqueue()
    worked()
    row = Job.objects.get(pk=result.id)
    assert (row.state, row.error_class) == (JobState.DEAD, "builtins.TimeoutError")


def test_unknown_job_fails() -> None:
    """As after a deploy that took its declaration away, or before one that brings it."""
    job = Job.objects.create(name="gone", max_attempts=1)
    worked()
    job.refresh_from_db()
    assert job.state == JobState.DEAD
    assert "expected a job that this program declares, got 'gone'" in job.error


def test_effect_and_end_of_the_job_are_one_commit() -> None:
    """What fails inside leaves neither."""
    declared.write_once.enqueue(what="w")
    context = claimed()
    with suppress(ZeroDivisionError), context.effect(complete=True):
        declared.note("w")
        raise ZeroDivisionError
    assert not IncidentReport.objects.exists()
    assert state_of(context.id) == JobState.RUNNING
    assert not context.completed
    with context.effect(complete=True):
        declared.note("w")
    assert IncidentReport.objects.count() == 1
    assert state_of(context.id) == JobState.DONE
    with pytest.raises(LeaseLost), context.effect():
        pytest.fail("the job has ended")


def test_zombie_writes_nothing() -> None:
    """Its lease ran out and another worker has the job: its token is refused."""
    declared.write_once.enqueue(what="w")
    zombie = claimed()
    expire_leases()
    assert bring_due() == 1
    living = claimed()
    assert (living.id, living.attempt, living.token) == (zombie.id, 2, zombie.token + 1)
    with pytest.raises(LeaseLost), zombie.effect():
        pytest.fail("expected no effect of a zombie")
    with living.effect(complete=True):
        declared.note("w")
    assert IncidentReport.objects.count() == 1


def test_worker_notices_what_it_has_lost(seen: list[str], settings: Any) -> None:
    """The job's task is cancelled; the other worker's claim stays untouched."""
    settings.PM = options_with(settings, job_lease=1.0)
    result = declared.deaf.enqueue()

    async def lose(_: Worker) -> None:
        await until(lambda: seen == ["deaf"], "the job to run")
        await in_database(lambda: Job.objects.filter(pk=result.id).update(token=99, worker="other"))
        await until(lambda: seen == ["deaf", "deaf cancelled"], "the lost job to be cancelled")

    working(lose)
    row = Job.objects.get(pk=result.id)
    assert (row.state, row.token, row.worker) == (JobState.RUNNING, 99, "other")


def test_leases_are_renewed_while_the_loop_lives(seen: list[str], settings: Any) -> None:
    """Three leases long nobody takes the job away, although everybody looks."""
    settings.PM = options_with(settings, job_lease=1.0)
    result = declared.wait.enqueue()

    async def outlive(_: Worker) -> None:
        await until(lambda: seen == ["wait"], "the job to run")
        for _look in range(15):
            await asyncio.sleep(0.2)
            await in_database(bring_due)
        await in_database(cancel_job, int(result.id))

    working(outlive)
    row = Job.objects.get(pk=result.id)
    assert (row.attempt, row.state) == (1, JobState.CANCELLED)


def test_stopping_worker_hands_back(seen: list[str]) -> None:
    """What ends in the drain's time is done; the rest is queued, and its attempt not counted."""
    quick = declared.write_once.enqueue(what="w", pause_s=0.3)
    long = declared.deaf.enqueue()

    async def stop(worker: Worker) -> None:
        await until(lambda: seen == ["deaf"], "the job to run")
        worker.stop()
        await in_database(lambda: declared.say.enqueue(what="too late"))

    working(stop, drain_s=1.0)
    assert state_of(quick.id) == JobState.DONE
    row = Job.objects.get(pk=long.id)
    assert (row.state, row.attempt, row.lease_until) == (JobState.QUEUED, 0, None)
    assert seen == ["deaf", "deaf cancelled"]
    assert claim("next", 1)[0].pk == row.pk
