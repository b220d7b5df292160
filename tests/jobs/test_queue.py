"""The queue, with a worker in the test's own process: what runs, when, and what is superfluous."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.utils import timezone
from django_tasks.base import TaskResultStatus
from django_tasks.exceptions import InvalidTaskError

from realtime.jobs.claiming import claim
from realtime.jobs.due import bring_due
from realtime.jobs.queries import queue_state
from realtime.jobs.worker import Worker
from realtime.models import Job, JobState
from tests.jobs import declared
from tests.jobs.beside import claimed, expire_leases, state_of, until, worked, working
from tests.log.world import rolled_back

pytestmark = pytest.mark.django_db(transaction=True)


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
