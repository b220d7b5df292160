"""Memories whose time comes."""

from datetime import timedelta
from typing import Any

import pytest
from django.db.models import F, QuerySet
from django.utils import timezone

from chat import jobs
from chat.actions.memories import store_memory, update_memory
from chat.models import Memory
from realtime.jobs import LeaseLost
from realtime.models import Job
from tests.api.conftest import Team
from tests.context.conftest import carry_out, claimed_job
from tests.log.world import frames, head

pytestmark = pytest.mark.django_db(transaction=True)


def stored(team: Team, title: str, hours: float | None) -> Memory:
    at = None if hours is None else timezone.now() + timedelta(hours=hours)
    return store_memory(team.owner, team.project.pk, title=title, expires_at=at)


def let_time_pass(hours: float) -> None:
    """As if all had been stored earlier; in silence, as time passes."""
    rows: QuerySet[Memory] = QuerySet(Memory)
    rows.update(expires_at=F("expires_at") - timedelta(hours=hours))


def looked(team: Team) -> list[tuple[str, int, Any]]:
    """What the job tells: the event, the memory, whether it is expiring."""
    before = head(team.stream)
    jobs.expire_memories.enqueue()
    carry_out(jobs.expire_memories, claimed_job())
    return [told(event) for event in frames(team.stream, before)]


def told(event: dict[str, Any]) -> tuple[str, int, Any]:
    memory = event["data"]["memory"]
    if isinstance(memory, int):
        return event["type"], memory, None
    return event["type"], memory["id"], memory["expiring"]


def test_memory_is_warned_of_once_and_goes_when_its_time_comes(team: Team) -> None:
    """A day before and then; in between nothing, and others stay."""
    stored(team, "for ever", None)
    row = stored(team, "for two days", 48)
    assert looked(team) == []
    let_time_pass(24.1)
    assert looked(team) == [("memory_updated", row.pk, True)]
    assert looked(team) == []
    let_time_pass(24)
    assert looked(team) == [("memory_expired", row.pk, None)]
    assert list(Memory.objects.values_list("title", flat=True)) == ["for ever"]


def test_memory_that_is_given_more_time_is_no_more_expiring(team: Team) -> None:
    """With the change itself; and a short one is expiring from the start."""
    row = stored(team, "short", 1)
    assert row.expiring
    assert looked(team) == []
    later = timezone.now() + timedelta(days=9)
    assert not update_memory(team.owner, row.pk, expires_at=later).expiring
    assert looked(team) == []
    Memory.objects.filter(pk=row.pk).update(expiring=True)
    assert looked(team) == [("memory_updated", row.pk, False)]


def test_many_go_in_batches(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    """All of them, in every project."""
    monkeypatch.setattr("chat.queries.expiry.BATCH", 2)
    gone = [stored(team, f"short {number}", -1).pk for number in range(5)]
    assert sorted(looked(team)) == [("memory_expired", key, None) for key in gone]
    assert not Memory.objects.exists()


def test_what_rests_on_an_expired_memory_hears_of_it(team: Team) -> None:
    """As of any that goes."""
    base = stored(team, "base", -1)
    top = store_memory(team.owner, team.project.pk, title="top", depends_on=[base.pk])
    before = head(team.stream)
    looked(team)
    (event,) = [one for one in frames(team.stream, before) if one["type"] == "dependency_updated"]
    assert event["data"] == {"memory": top.pk, "depends_on": [], "because": base.pk}


def test_worker_that_lost_the_job_deletes_nothing(team: Team) -> None:
    """Another one does it."""
    stored(team, "short", -1)
    jobs.expire_memories.enqueue()
    context = claimed_job()
    Job.objects.filter(pk=context.id).update(token=99)
    with pytest.raises(LeaseLost):
        carry_out(jobs.expire_memories, context)
    assert Memory.objects.count() == 1
