"""Following a conversation: which messages are analysed, how often, and what stops it."""

import threading
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.db import connection, connections, transaction
from django.test.utils import CaptureQueriesContext

from chat.actions.messages import delete_message
from chat.context import analysis, engine
from chat.context.findings import Step
from chat.models import Message, ProjectContext
from realtime.jobs import LeaseLost
from realtime.models import Event, Job
from realtime.protocol.errors import Unavailable
from tests.context.conftest import Conversation, claimed_job
from tests.log.world import rolled_back

pytestmark = pytest.mark.django_db(transaction=True)


def analysed(events: list[dict[str, Any]]) -> list[int]:
    return [
        event["data"]["message"] for event in events if event["type"] == "context_analysis_complete"
    ]


def test_one_job_waits_however_many_messages_come(conversation: Conversation) -> None:
    """Each is analysed once, in order; and nothing of it again."""
    sent = [conversation.say(f"message {number}").pk for number in range(5)]
    assert conversation.waiting() == 1
    assert analysed(conversation.follow()) == sent
    later = conversation.say("another one")
    assert analysed(conversation.follow()) == [later.pk]


def test_only_people_are_followed(conversation: Conversation) -> None:
    """Not the AI's answers, which would be news of news; nor what was rolled back."""
    with rolled_back():
        conversation.say("never")
    assert conversation.waiting() == 0
    row = conversation.say("said")
    Message(project_id=row.project_id, session_id=row.session_id, kind="ai", body="answered").save()
    assert analysed(conversation.follow()) == [row.pk]


def test_engine_that_is_off_costs_nothing(conversation: Conversation, settings: Any) -> None:
    """No job is enqueued."""
    settings.PM = settings.PM.model_copy(update={"context_engine": False})
    conversation.say("said")
    assert not Job.objects.exists()


def test_of_a_flood_the_newest_are_analysed(
    conversation: Conversation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What nobody could follow is left out, for good."""
    monkeypatch.setattr("chat.queries.context.MOST_AT_ONCE", 3)
    sent = [conversation.say(f"message {number}").pk for number in range(7)]
    assert analysed(conversation.follow()) == sent[-3:]


def test_second_job_of_a_project_hands_over(conversation: Conversation) -> None:
    """Both were claimed at once: each message is analysed once."""
    first = conversation.say("first").pk
    one = claimed_job()
    second = conversation.say("second").pk
    other = claimed_job()
    assert analysed(conversation.follow_together(one, other)) == [first, second]


def test_message_that_comes_meanwhile_is_analysed_too(
    conversation: Conversation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its own job ends at once where it finds the project looked after: the first looks again."""
    sent = [conversation.say("first").pk]
    step = analysis.STEPS[Step.SUMMARY]

    def slow(found: Any) -> None:
        if len(sent) == 1:
            sent.append(conversation.say("second").pk)
        step(found)

    monkeypatch.setitem(analysis.STEPS, Step.SUMMARY, slow)
    assert analysed(conversation.follow_together(claimed_job())) == sent


def test_deleted_message_is_not_told_of(
    conversation: Conversation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither before its analysis nor when it is deleted in the middle of it."""
    gone = conversation.say("gone before")
    delete_message(conversation.team.owner, gone.pk)
    assert analysed(conversation.follow()) == []
    row = conversation.say("gone meanwhile")
    step = analysis.STEPS[Step.SUMMARY]

    def deleting(found: Any) -> None:
        delete_message(conversation.team.owner, row.pk)
        step(found)

    monkeypatch.setitem(analysis.STEPS, Step.SUMMARY, deleting)
    assert analysed(conversation.follow()) == []


def test_nothing_of_a_deleted_message_stays(conversation: Conversation) -> None:
    """Its words are in no event and no summary that the engine made, whatever it was about."""
    conversation.remember("Password rules", kind="issue")
    for body in ("the password is Xylophone7", "password Xylophone7 again?"):
        row = conversation.say(body)
        assert analysed(conversation.follow()) == [row.pk]
        delete_message(conversation.team.owner, row.pk)
    made = [bytes(row.frame).lower() for row in Event.objects.all()]
    assert not any(b"xylophone" in frame for frame in made)
    assert "xylophone" not in ProjectContext.objects.get().summary.lower()


def test_job_that_was_taken_away_tells_nothing(
    conversation: Conversation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another worker has it meanwhile: what this one found out is refused."""
    conversation.say("said")
    context = claimed_job()
    step = analysis.STEPS[Step.SUMMARY]

    def taken(found: Any) -> None:
        Job.objects.filter(pk=context.id).update(token=99)
        step(found)

    monkeypatch.setitem(analysis.STEPS, Step.SUMMARY, taken)
    with pytest.raises(LeaseLost):
        async_to_sync(engine.follow)(context, conversation.project)
    assert not ProjectContext.objects.exists()
    assert not Event.objects.filter(type="context_analysis_complete").exists()


def test_failing_step_costs_the_others_nothing(
    conversation: Conversation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is told by its name and category, and logged; the rest is there."""

    def broken(found: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setitem(analysis.STEPS, Step.ISSUES, broken)
    memory = conversation.remember("Large uploads", kind="issue")
    conversation.say("large uploads?")
    (event,) = [one for one in conversation.follow() if one["type"] == "context_analysis_complete"]
    assert event["data"]["errors"] == [{"step": "issues", "code": "internal"}]
    assert [one["memory"] for one in event["data"]["memories"]] == [memory.pk]


def test_absent_database_is_waited_for_and_then_told(
    conversation: Conversation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The job is tried again first; on its third attempt the step is given up."""

    def away(found: Any) -> None:
        raise Unavailable("away")

    monkeypatch.setitem(analysis.STEPS, Step.MEMORIES, away)
    conversation.say("said")
    context = claimed_job()
    with pytest.raises(Unavailable):
        async_to_sync(engine.follow)(context, conversation.project)
    assert not ProjectContext.objects.exists()
    context.attempt = 3
    (event,) = [
        one
        for one in conversation.follow_together(context)
        if one["type"] == "context_analysis_complete"
    ]
    assert event["data"]["errors"] == [{"step": "memories", "code": "unavailable"}]
    assert event["data"]["mode"] is None


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has one writer at a time")
def test_uncommitted_message_that_counts_on_a_waiting_job_is_seen(
    conversation: Conversation,
) -> None:
    """The job was claimed after the message's writer found it waiting, and before its commit."""
    first = conversation.say("first").pk

    def follow() -> None:
        try:
            async_to_sync(engine.follow)(context, conversation.project)
        finally:
            connections.close_all()

    with transaction.atomic():
        second = conversation.say("second").pk
        context = _claimed_elsewhere()
        thread = threading.Thread(target=follow)
        thread.start()
        thread.join(0.3)
        assert thread.is_alive(), "expected the job to wait for the writer"
    thread.join(10)
    rows = Event.objects.filter(type="context_analysis_complete")
    assert rows.count() == 2
    assert ProjectContext.objects.get().analysed_to == second > first


def _claimed_elsewhere() -> Any:
    found: list[Any] = []

    def claim() -> None:
        try:
            found.append(claimed_job())
        finally:
            connections.close_all()

    thread = threading.Thread(target=claim)
    thread.start()
    thread.join(10)
    return found[0]


def test_engine_costs_a_message_one_statement(conversation: Conversation, settings: Any) -> None:
    """And none where a job waits already."""

    def statements() -> int:
        with CaptureQueriesContext(connection) as caught:
            conversation.say("hello")
        return len(caught)

    settings.PM = settings.PM.model_copy(update={"context_engine": False})
    statements()  # what is compiled and looked up once
    without = statements()
    settings.PM = settings.PM.model_copy(update={"context_engine": True})
    assert [statements() - without for _ in range(3)] == [1, 0, 0]
    assert conversation.waiting() == 1
