"""Jobs in a worker of the test's own process: what runs, in which order, and how it ends."""

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.db import connection, transaction
from django.utils import timezone
from django_tasks.base import TaskResultStatus
from django_tasks.exceptions import InvalidTaskError

from realtime.database import in_database
from realtime.jobs import JobContext, LeaseLost, cancel_job, retry_job
from realtime.jobs.claiming import claim
from realtime.jobs.due import bring_due
from realtime.jobs.queries import queue_state
from realtime.jobs.worker import Worker
from realtime.metrics.core import JOB_S, JOBS_ENDED
from realtime.models import IncidentReport, Job, JobState
from tests.jobs import declared
from tests.log.world import rolled_back

pytestmark = pytest.mark.django_db(transaction=True)

Step = Callable[[Worker], Awaitable[None]]
TIMEOUT_S = 8.0


def state_of(job_id: str | int) -> str:
    return str(Job.objects.get(pk=job_id).state)


async def until(condition: Callable[[], object], what: str) -> None:
    """Look at the database until it holds."""
    try:
        async with asyncio.timeout(TIMEOUT_S):
            while not await in_database(condition):
                await asyncio.sleep(0.01)
    except TimeoutError:
        rows = await in_database(lambda: list(Job.objects.values("name", "state", "error")))
        raise AssertionError(f"expected {what}, got {rows}") from None


def working(step: Step, *, concurrency: int = 10, drain_s: float = 5.0) -> None:
    """Run `step` beside a worker, then stop the worker."""

    async def run() -> None:
        worker = Worker(concurrency=concurrency, drain_s=drain_s)
        task = asyncio.create_task(worker.run())
        try:
            await step(worker)
        finally:
            worker.stop()
            await task

    async_to_sync(run)()


def worked(concurrency: int = 10) -> None:
    """Let a worker end everything that is not scheduled for later."""

    def idle() -> bool:
        open_states = [JobState.QUEUED, JobState.RUNNING]
        return not Job.objects.filter(state__in=open_states).exists()

    working(lambda _: until(idle, "all jobs to end"), concurrency=concurrency)


def claimed() -> JobContext:
    """The oldest job, claimed by nobody in particular."""
    row = claim("somebody", 1)[0]
    return JobContext(row.pk, row.attempt, row.token, row.enqueued_at, lambda: pytest.fail("no"))


def expire_leases() -> None:
    past = timezone.now() - timedelta(minutes=10)
    Job.objects.filter(state=JobState.RUNNING).update(lease_until=past)


def test_job_runs_with_its_arguments(seen: list[str]) -> None:
    """It was not there before, and its result can be asked for by the Tasks API."""
    enqueued = declared.say.enqueue(what="hello")
    assert enqueued.status is TaskResultStatus.READY
    worked()
    assert seen == ["hello"]
    result = declared.say.get_result(enqueued.id)
    assert result.status is TaskResultStatus.SUCCESSFUL
    assert result.attempts == 1
    assert result.finished_at is not None


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


def test_job_is_enqueued_with_its_cause(seen: list[str]) -> None:
    """A cause that is rolled back enqueues nothing."""
    with rolled_back():
        declared.say.enqueue(what="never")
    declared.say.enqueue(what="once")
    worked()
    assert seen == ["once"]


def test_only_declared_jobs_with_keywords_are_taken() -> None:
    with pytest.raises(InvalidTaskError, match="expected keyword arguments"):
        declared.say.enqueue("hello")  # type: ignore[call-arg]


def test_urgent_jobs_come_first(seen: list[str]) -> None:
    """By priority, then in the order in which they were enqueued."""
    for what, priority in [("a", 0), ("b", -5), ("c", 50), ("d", 0), ("e", 50)]:
        declared.say.using(priority=priority).enqueue(what=what)
    worked(concurrency=1)
    assert seen == ["c", "e", "a", "d", "b"]


def test_later_jobs_wait_for_their_time(seen: list[str]) -> None:
    """However urgent they are."""
    soon = timezone.now() + timedelta(seconds=1.2)
    result = declared.say.using(run_after=soon, priority=100).enqueue(what="later")
    declared.say.enqueue(what="now")
    assert state_of(result.id) == JobState.SCHEDULED

    async def both(_: Worker) -> None:
        await until(lambda: state_of(result.id) == JobState.DONE, "the later one to end")

    working(both)
    assert seen == ["now", "later"]
    assert Job.objects.get(pk=result.id).started_at >= soon  # type: ignore[operator]


def test_waiting_job_with_the_same_key_makes_another_superfluous(seen: list[str]) -> None:
    """Only while it waits: what runs already may have missed what the new one is about."""
    once = declared.say.using(unique_key="k")
    first = once.enqueue(what="first")
    assert once.enqueue(what="second").id == first.id
    assert declared.say.using(unique_key="other").enqueue(what="third").id != first.id
    context = claimed()
    assert once.enqueue(what="fourth").id != first.id
    assert str(context.id) == first.id
    assert Job.objects.filter(unique_key="k").count() == 2


def test_job_that_makes_another_superfluous_waits_for_its_commit() -> None:
    """A worker used to begin it before: it did not see what it was asked for again, and nobody
    enqueued another one. On SQLite nobody claims beside a writer."""
    if connection.vendor == "sqlite":
        pytest.skip("one writer at a time")
    once = declared.say.using(unique_key="k")
    first = once.enqueue(what="first")
    with transaction.atomic(), ThreadPoolExecutor(1) as pool:
        assert once.enqueue(what="second").id == first.id
        assert pool.submit(claimed_beside).result(10) == []
    assert str(claimed().id) == first.id


def claimed_beside() -> list[int]:
    """What a worker with a connection of its own is given."""
    try:
        return [job.pk for job in claim("beside", 10)]
    finally:
        connection.close()


def test_retried_job_gives_way_to_one_with_its_key() -> None:
    """Bug to be: its return to the queue would violate the key's constraint."""
    once = declared.fail.using(unique_key="k")
    first = once.enqueue(what="x")
    claimed()
    second = once.enqueue(what="x")
    expire_leases()
    bring_due()
    assert state_of(first.id) == JobState.CANCELLED
    assert state_of(second.id) == JobState.QUEUED


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


def test_cpu_work_runs_in_another_process(seen: list[str]) -> None:
    declared.compute.enqueue(base=12)
    worked()
    assert seen == ["144"]


def test_queue_tells_its_state() -> None:
    """For the dashboard: how many stand where, and how long the oldest waits."""
    assert queue_state().oldest_queued_s is None
    declared.nothing.enqueue()
    declared.nothing.using(run_after=timezone.now() + timedelta(hours=1)).enqueue()
    Job.objects.filter(state=JobState.QUEUED).update(
        run_after=timezone.now() - timedelta(seconds=60)
    )
    state = queue_state()
    assert state.counts[JobState.QUEUED] == state.counts[JobState.SCHEDULED] == 1
    assert state.counts[JobState.DEAD] == 0
    assert state.oldest_queued_s == pytest.approx(60, abs=5)


def options_with(settings: Any, **changes: Any) -> Any:
    """The environment with other values, for one test."""
    return settings.PM.model_copy(update=changes)
