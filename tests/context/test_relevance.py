"""Memories fade with time and come back with use."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from chat import jobs
from chat.actions.answering import Outcome, end_run, start_run
from chat.actions.memories import update_memory
from chat.actions.messages import send_message
from chat.ai import prompt
from chat.ai.providers.protocol import Passage
from chat.ai.retrieval import KeywordRetrieval
from chat.context.summary import summarised
from chat.models import AiRun, Memory, Relevance, RunState
from chat.models.relevance import relevance_of
from realtime.jobs import LeaseLost
from realtime.models import Job
from tests.context.conftest import Conversation, carry_out, claimed_job
from tests.log.world import frames, head

pytestmark = pytest.mark.django_db(transaction=True)

NOW = timezone.now()


def aged(days: float, *, importance: float = 0.5, uses: int = 0) -> str:
    return relevance_of(importance, NOW - timedelta(days=days), uses, NOW, 14.0).value


def test_memory_fades_with_time() -> None:
    """High at first, medium after weeks, low after months; importance holds it."""
    assert [aged(days) for days in (0, 5, 20, 60)] == ["high", "high", "medium", "low"]
    assert [aged(days, importance=1.0) for days in (0, 60)] == ["high", "medium"]
    assert [aged(days, importance=0.0) for days in (0, 60)] == ["medium", "low"]
    assert aged(-1) == "high", "expected a clock that was set back to do no harm"


def test_use_makes_it_last() -> None:
    """Each one as long again, to a limit."""
    assert [aged(25, uses=uses) for uses in (0, 1, 3)] == ["medium", "medium", "high"]
    assert aged(9_999, uses=10**6) == "low"


def test_last_touch_counts_and_pins_hold(conversation: Conversation, settings: Any) -> None:
    """Of a change and a use the later one; what is pinned never falls. The pace is a setting."""
    long_ago = NOW - timedelta(days=90)
    row = Memory(title="x", updated_at=long_ago)
    assert row.relevance_at(NOW) == "low"
    row.used_at = NOW
    assert row.relevance_at(NOW) == "high"
    row.used_at = long_ago - timedelta(days=1)
    assert row.relevance_at(NOW) == "low"
    settings.PM = settings.PM.model_copy(update={"memory_half_life_days": 900.0})
    assert row.relevance_at(NOW) == "high"
    settings.PM = settings.PM.model_copy(update={"memory_half_life_days": 0.001})
    assert row.relevance_at(NOW) == "low"
    row.pinned = True
    assert row.relevance_at(NOW) == "high"


def make_older(memory: Memory, days: float) -> None:
    rows: QuerySet[Memory] = QuerySet(Memory)
    rows.filter(pk=memory.pk).update(updated_at=timezone.now() - timedelta(days=days))


def let_uses_be_counted() -> None:
    """As if the last use were long enough ago."""
    rows: QuerySet[Memory] = QuerySet(Memory)
    rows.exclude(used_at=None).update(used_at=timezone.now() - timedelta(hours=2))


def fade(conversation: Conversation) -> list[tuple[int, str]]:
    """What the job tells."""
    before = head(conversation.team.stream)
    jobs.fade_memories.enqueue()
    carry_out(jobs.fade_memories, claimed_job())
    Job.objects.all().delete()
    events = frames(conversation.team.stream, before)
    assert {event["type"] for event in events} <= {"memory_relevance_changed"}
    return [(event["data"]["memory"], event["data"]["relevance"]) for event in events]


def test_change_of_band_is_told_once(
    conversation: Conversation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Page by page; within a band nothing is."""
    monkeypatch.setattr("chat.queries.relevance.PAGE", 2)
    rows = [conversation.remember(f"memory {number}") for number in range(5)]
    assert fade(conversation) == []
    for row, days in zip(rows, (1, 5, 20, 21, 90), strict=True):
        make_older(row, days)
    assert fade(conversation) == [
        (rows[2].pk, "medium"),
        (rows[3].pk, "medium"),
        (rows[4].pk, "low"),
    ]
    assert fade(conversation) == []
    assert Memory.objects.get(pk=rows[4].pk).relevance == Relevance.LOW


def test_worker_that_lost_the_job_tells_nothing(conversation: Conversation) -> None:
    """Another one does it."""
    make_older(conversation.remember("old"), 90)
    jobs.fade_memories.enqueue()
    context = claimed_job()
    Job.objects.filter(pk=context.id).update(token=99)
    with pytest.raises(LeaseLost):
        carry_out(jobs.fade_memories, context)
    assert Memory.objects.get().relevance == Relevance.HIGH


def test_memory_that_matters_to_a_message_comes_back(conversation: Conversation) -> None:
    """It is told before the completion; a use that changes no band is not, and in a conversation
    that goes on one use is counted an hour."""
    row = conversation.remember("Large uploads fill the memory", kind="issue")
    make_older(row, 90)
    assert fade(conversation) == [(row.pk, "low")]

    def told() -> list[str]:
        conversation.say("large uploads?")
        types = [event["type"] for event in conversation.follow()]
        assert types[-1] == "context_analysis_complete"
        return [one for one in types if one.startswith("memory")]

    assert told() == ["memory_relevance_changed"]
    assert told() == []
    assert Memory.objects.get(pk=row.pk).uses == 1
    let_uses_be_counted()
    assert told() == []
    stored = Memory.objects.get(pk=row.pk)
    assert (stored.relevance, stored.uses) == ("high", 2)


def test_answer_uses_what_it_cites(conversation: Conversation) -> None:
    """Once per answer; messages that it cites are no memories."""
    cited, other = conversation.remember("cited"), conversation.remember("other")
    make_older(cited, 90)
    assert fade(conversation) == [(cited.pk, "low")]
    sent = send_message(conversation.team.owner, conversation.project, body="why?", ask_ai=True)
    assert sent.run is not None
    assert sent.run.job is not None
    with transaction.atomic():
        started = start_run(sent.run.pk, sent.run.job, 1)
    assert started is not None
    sources = [
        {"kind": "memory", "id": cited.pk, "title": "cited"},
        {"kind": "message", "id": other.pk, "title": "a message by the same number"},
    ]
    before = head(conversation.team.stream)
    with transaction.atomic():
        assert end_run(started, Outcome(RunState.COMPLETED, "because", sources=sources))
    types = [event["type"] for event in frames(conversation.team.stream, before)]
    assert "memory_relevance_changed" in types
    assert AiRun.objects.get().state == RunState.COMPLETED
    assert [one.uses for one in Memory.objects.order_by("pk")] == [1, 0]


def test_importance_and_pins_count_at_once(conversation: Conversation) -> None:
    """Whoever sets them, one by one or in bulk; what nobody needs is medium from the start."""
    row = conversation.remember("minor", importance=0.0)
    assert row.relevance == Relevance.MEDIUM
    before = head(conversation.team.stream)
    assert update_memory(conversation.team.owner, row.pk, importance=1.0).relevance == "high"
    Memory.objects.filter(pk=row.pk).update(importance=0.1)
    update_memory(conversation.team.owner, row.pk, pinned=True)
    told = [
        (event["type"], event["data"].get("relevance"))
        for event in frames(conversation.team.stream, before)
    ]
    assert told == [
        ("memory_updated", None),
        ("memory_relevance_changed", "high"),
        ("memory_updated", None),
        ("memory_relevance_changed", "medium"),
        ("memory_updated", None),
        ("memory_relevance_changed", "high"),
    ]
    made = Memory.objects.bulk_create([Memory(project=row.project, title="y", importance=0.0)])
    assert made[0].relevance == Relevance.MEDIUM


def test_summary_leaves_out_what_has_faded(conversation: Conversation) -> None:
    """But for what is pinned."""
    rows = [conversation.remember(title, kind="fact") for title in ("tea", "milk", "sugar")]
    update_memory(conversation.team.owner, rows[1].pk, pinned=True)
    for row in rows[:2]:
        make_older(row, 90)
    fade(conversation)
    assert summarised(conversation.project) == "Known: milk; sugar"


def test_prompt_has_room_for_what_has_faded_last(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the budget is short the relevant ones are told; the order stays that of the search."""
    monkeypatch.setattr(prompt, "PASSAGE_BUDGET", 40)

    def passage(number: int, *, faded: bool = False) -> Passage:
        return Passage("memory", number, "", "x" * 15, 0.9, "", faded)

    def told(*passages: Passage) -> list[int]:
        return [one.id for one in prompt._within_budget(list(passages))]

    assert told(passage(1, faded=True), passage(2), passage(3)) == [2, 3]
    assert told(passage(1, faded=True), passage(2)) == [1, 2]
    assert told(passage(1), passage(2), passage(3)) == [1, 2]


def test_faded_memory_is_found_and_says_so(conversation: Conversation) -> None:
    """Nothing is hidden by age alone."""
    old = conversation.remember("Large uploads")
    make_older(old, 90)
    fade(conversation)
    conversation.remember("Large uploads fill the memory")
    found = KeywordRetrieval().relevant(conversation.project, "large uploads", limit=9)
    assert {one.id == old.pk: one.faded for one in found} == {True: True, False: False}
