"""Jobs that are asked to end: waiting, running, deaf, and retried afterwards."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from realtime.database import in_database
from realtime.jobs import cancel_job, retry_job
from realtime.jobs.claiming import claim
from realtime.jobs.worker import Worker
from realtime.models import Job, JobState
from tests.jobs import declared
from tests.jobs.beside import options_with, state_of, until, worked, working
from tests.log.world import rolled_back

pytestmark = pytest.mark.django_db(transaction=True)


def test_waiting_job_is_cancelled_at_once(seen: list[str]) -> None:
    """In the transaction of whoever cancels; again it says the same as of any that has ended."""
    result = declared.say.enqueue(what="never")
    with rolled_back():
        assert cancel_job(int(result.id)) is JobState.CANCELLED
    assert state_of(result.id) == JobState.QUEUED
    assert cancel_job(int(result.id)) is JobState.CANCELLED
    assert cancel_job(int(result.id)) is JobState.CANCELLED
    assert cancel_job(10**9) is None
    worked()
    assert seen == []


def test_running_job_is_asked_to_end(seen: list[str]) -> None:
    """At once where the canceller is in the same process; it winds up by itself."""
    result = declared.wait.enqueue()

    async def cancel(_: Worker) -> None:
        await until(lambda: seen == ["wait"], "the job to run")
        assert await in_database(cancel_job, int(result.id)) is JobState.RUNNING
        await until(lambda: state_of(result.id) == JobState.CANCELLED, "the job to end")

    working(cancel)
    assert seen == ["wait", "wait ended"]


def test_cancelling_outlives_the_worker_that_did_not_hear_of_it() -> None:
    """Asked to end, then its worker died: the next one used to begin it as if nobody had asked."""
    result = declared.wait.enqueue()
    (claimed,) = claim("dead", 1)
    assert cancel_job(claimed.pk) is JobState.RUNNING
    Job.objects.filter(pk=claimed.pk).update(lease_until=timezone.now() - timedelta(seconds=1))

    async def look(_: Worker) -> None:
        await until(lambda: state_of(result.id) == JobState.CANCELLED, "the job to end")

    working(look)
    assert Job.objects.get(pk=result.id).attempt == 2


def test_retried_job_is_not_cancelled_again(seen: list[str]) -> None:
    """That somebody once asked it to end is over."""
    result = declared.say.enqueue(what="again")
    Job.objects.update(state=JobState.CANCELLED, cancel_requested=True, finished_at=timezone.now())
    assert retry_job(int(result.id))
    worked()
    assert (seen, state_of(result.id)) == (["again"], JobState.DONE)


def test_job_that_was_asked_to_end_before_it_began_is_ended(
    seen: list[str], monkeypatch: Any
) -> None:
    """One that does not look used to run to its own end, where it has one."""
    monkeypatch.setattr("realtime.jobs.running.CANCEL_WITHIN_S", 0.05)
    result = declared.deaf.enqueue()
    Job.objects.update(cancel_requested=True)

    async def look(_: Worker) -> None:
        await until(lambda: state_of(result.id) == JobState.CANCELLED, "the job to end")

    working(look)
    assert seen == ["deaf", "deaf cancelled"]


def test_cancelled_job_that_does_not_look_is_ended(seen: list[str], monkeypatch: Any) -> None:
    monkeypatch.setattr("realtime.jobs.running.CANCEL_WITHIN_S", 0.05)
    result = declared.deaf.enqueue()

    async def cancel(_: Worker) -> None:
        await until(lambda: seen == ["deaf"], "the job to run")
        await in_database(cancel_job, int(result.id))
        await until(lambda: state_of(result.id) == JobState.CANCELLED, "the job to end")

    working(cancel)
    assert seen == ["deaf", "deaf cancelled"]


def test_cancelling_is_heard_by_lease_when_the_hint_is_lost(settings: Any) -> None:
    """The hint is only quicker."""
    settings.PM = options_with(settings, job_lease=1.0)
    result = declared.wait.enqueue()

    def ask_without_a_hint() -> bool:
        running = Job.objects.filter(pk=result.id, state=JobState.RUNNING)
        return bool(running.update(cancel_requested=True))

    async def cancel(_: Worker) -> None:
        await until(ask_without_a_hint, "the job to run")
        await until(lambda: state_of(result.id) == JobState.CANCELLED, "the job to end")

    working(cancel)
