"""The operator's two actions on jobs, and what their page shows."""

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse

from chat.models import User
from realtime.models import Job, JobState

pytestmark = pytest.mark.django_db
LIST = "admin:realtime_job_changelist"


def act(client: Client, action: str, *jobs: Job) -> str:
    """The page that follows."""
    keys = [job.pk for job in jobs]
    data = {"action": action, "_selected_action": keys}
    return client.post(reverse(LIST), data, follow=True).content.decode()


def made(state: JobState) -> Job:
    return Job.objects.create(name="some.job", state=state, attempt=5, error="Traceback <b>")


def state_of(job: Job) -> tuple[str, int]:
    job.refresh_from_db()
    return job.state, job.attempt


def test_dead_jobs_get_all_their_attempts_again(admin: Client) -> None:
    """Others are left alone, and counted out."""
    dead, done = made(JobState.DEAD), made(JobState.DONE)
    assert "1 of 2 jobs queued again" in act(admin, "retry", dead, done)
    assert state_of(dead) == (JobState.QUEUED, 0)
    assert state_of(done) == (JobState.DONE, 5)


def test_retry_leaves_a_job_whose_key_waits_already(admin: Client) -> None:
    """What waits does the same work."""
    dead, waiting = made(JobState.DEAD), made(JobState.QUEUED)
    Job.objects.filter(pk__in=[dead.pk, waiting.pk]).update(unique_key="k")
    assert "0 of 1 jobs queued again" in act(admin, "retry", dead)
    assert state_of(dead) == (JobState.DEAD, 5)


def test_waiting_jobs_are_cancelled(admin: Client) -> None:
    queued, scheduled, done = map(made, (JobState.QUEUED, JobState.SCHEDULED, JobState.DONE))
    assert "2 of 3 jobs cancelled" in act(admin, "cancel", queued, scheduled, done)
    assert state_of(done)[0] == JobState.DONE
    assert {state_of(job)[0] for job in (queued, scheduled)} == {JobState.CANCELLED}


def test_running_jobs_are_asked_to_end(
    admin: Client, django_capture_on_commit_callbacks: "pytest.FixtureRequest"
) -> None:
    """After the commit, where no lock of the operator's transaction is in the way."""
    running = made(JobState.RUNNING)
    with django_capture_on_commit_callbacks(execute=True):  # type: ignore[operator]
        act(admin, "cancel", running)
    running.refresh_from_db()
    assert running.cancel_requested
    assert running.state == JobState.RUNNING


def test_page_shows_arguments_and_traceback_harmlessly(admin: Client) -> None:
    job = made(JobState.DEAD)
    page = admin.get(reverse("admin:realtime_job_change", args=[job.pk])).content.decode()
    assert "<pre>Traceback &lt;b&gt;</pre>" in page
    assert 'name="state"' not in page


def test_list_is_filtered_by_state(admin: Client) -> None:
    dead, done = made(JobState.DEAD), made(JobState.DONE)
    page = admin.get(reverse(LIST), {"state__exact": "dead"}).content.decode()
    assert reverse("admin:realtime_job_change", args=[dead.pk]) in page
    assert reverse("admin:realtime_job_change", args=[done.pk]) not in page


def test_who_may_only_look_has_no_actions(db: None) -> None:
    """The right to view is not the right to operate."""
    person = User.objects.create_user("ada", is_staff=True)
    person.user_permissions.add(Permission.objects.get(codename="view_job"))
    client = Client()
    client.force_login(person)
    dead = made(JobState.DEAD)
    assert "Retry selected" not in client.get(reverse(LIST)).content.decode()
    act(client, "retry", dead)
    assert state_of(dead) == (JobState.DEAD, 5)
