"""Enqueueing where one waiting job is enough."""

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from realtime.jobs import enqueue_once
from realtime.jobs.claiming import claim
from realtime.models import Job
from tests.jobs import declared
from tests.log.world import rolled_back

pytestmark = pytest.mark.django_db(transaction=True)


def row() -> dict[str, Any]:
    """The only job, without what no two of them share."""
    found: dict[str, Any] = dict(Job.objects.values().get())
    assert found.pop("run_after") == found.pop("enqueued_at")
    found.pop("id")
    return found


def test_row_is_that_of_the_tasks_api() -> None:
    """All of it: a column that is new to jobs is not forgotten here."""
    task = declared.say.using(priority=7)
    enqueue_once(task, "key", what="hé")
    at_once = row()
    Job.objects.all().delete()
    task.using(unique_key="key").enqueue(what="hé")
    assert at_once == row()


def test_one_waits_and_a_claimed_one_is_followed_by_another() -> None:
    """In one statement each; another key is another job, and what is rolled back was none."""
    with rolled_back():
        enqueue_once(declared.nothing, "key")
    assert not Job.objects.exists()
    with CaptureQueriesContext(connection) as caught:
        enqueue_once(declared.nothing, "key")
        enqueue_once(declared.nothing, "key")
    assert len(caught) == 2
    assert Job.objects.count() == 1
    enqueue_once(declared.nothing, "other")
    assert Job.objects.count() == 2
    claim("somebody", 2)
    enqueue_once(declared.nothing, "key")
    assert Job.objects.count() == 3


def test_another_backend_is_asked_in_its_own_way(settings: Any) -> None:
    """Whatever a deployment has put behind the Tasks API gets the job."""
    dummy = "django_tasks.backends.dummy.DummyBackend"
    backend = {"default": {**settings.TASKS["default"], "BACKEND": dummy}}
    settings.TASKS = backend
    enqueue_once(declared.nothing, "key")
    assert not Job.objects.exists()
    chosen: Any = declared.nothing.get_backend()
    (result,) = chosen.results
    assert result.task.name == "nothing"
