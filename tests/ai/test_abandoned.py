"""Runs and their jobs, where one goes on or ends without the other."""

from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.db import transaction

from chat import jobs
from chat.actions.answering import Started, start_run
from chat.actions.messages import delete_message, send_message
from chat.actions.projects import create_project
from chat.actions.runs import cancel_run, run_again
from chat.models import AiRun, ChatSession, RunState, SessionStatus, User
from realtime.jobs import JobContext, cancel_job
from realtime.jobs.claiming import claim
from realtime.models import Job, JobState

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("installation")]


@pytest.fixture
def run() -> AiRun:
    """A run that waits for a worker."""
    owner: User = User.objects.create_user("ada")
    made = send_message(owner, create_project(owner, name="Apollo").pk, body="@ai why?").run
    assert made is not None
    return made


def started(run: AiRun, job: int | None, attempt: int = 1) -> Started | None:
    assert job is not None
    with transaction.atomic():
        return start_run(run.pk, job, attempt)


def end_abandoned() -> AiRun:
    """Carry the periodic job out; the only run as it stands then."""
    task: Any = jobs.end_abandoned_runs.using(priority=100)
    task.enqueue()
    row = claim("somebody", 1)[0]
    assert row.name == "chat.end_abandoned_runs"
    context = JobContext(row.pk, row.attempt, row.token, row.enqueued_at, lambda: pytest.fail("no"))
    async_to_sync(task.func)(context)
    return AiRun.objects.get()


def test_job_of_an_earlier_asking_starts_nothing(run: AiRun) -> None:
    """Its worker died, somebody cancelled the run and asked again: when the lease is over, the old
    job comes back to the queue, and its run is another job's by then. It used to begin it too, and
    the newer job then found a run that seemed to have lost its worker."""
    claim("dead", 1)
    assert started(run, run.job) is not None
    Job.objects.update(lease_until="2020-01-01T00:00:00Z")
    assert cancel_run(run.asked_by, run.pk) == RunState.RUNNING
    again = run_again(run.asked_by, run.pk)
    assert again.job != run.job
    assert started(run, run.job, attempt=2) is None
    assert AiRun.objects.get().state == RunState.QUEUED
    mine = started(run, again.job)
    assert mine is not None
    assert mine.generation == 2


def test_run_whose_question_is_deleted_before_it_begins_ends(run: AiRun) -> None:
    """The provider used to be asked an empty question."""
    delete_message(run.asked_by, run.question_id)
    assert started(run, run.job) is None
    assert AiRun.objects.get().state == RunState.CANCELLED


def test_run_whose_job_was_cancelled_by_an_operator_ends(run: AiRun) -> None:
    """It would be queued for ever, and count among the open runs of its project."""
    assert end_abandoned().state == RunState.QUEUED, "its job still waits"
    assert run.job is not None
    cancel_job(run.job)
    assert end_abandoned().state == RunState.CANCELLED
    assert ChatSession.objects.get().status == SessionStatus.IDLE


def test_run_whose_job_is_dead_or_gone_ends(run: AiRun) -> None:
    """Whatever ended the job, the members see an end, and may ask again."""
    assert run.job is not None
    assert started(run, run.job) is not None
    Job.objects.filter(pk=run.job).update(state=JobState.RUNNING, lease_until=None)
    assert end_abandoned().state == RunState.RUNNING
    Job.objects.filter(pk=run.job).update(state=JobState.DEAD)
    assert end_abandoned().state == RunState.INTERRUPTED
    assert run_again(run.asked_by, run.pk).state == RunState.QUEUED
    Job.objects.filter(name="chat.answer").delete()
    assert end_abandoned().state == RunState.INTERRUPTED
