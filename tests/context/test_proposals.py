"""Memories that are proposed from what people say, and what becomes of them."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from django.db.models import F, QuerySet
from django.utils import timezone

from chat import jobs
from chat.actions.memories import delete_memory, store_memory, update_memory
from chat.actions.messages import delete_message, edit_message
from chat.actions.proposals import accept_proposal, discard_proposal, propose
from chat.ai.citations import sources_of
from chat.ai.retrieval import KeywordRetrieval
from chat.context import analysis
from chat.context.findings import Proposal, Step
from chat.models import Memory, MemoryKind, MemoryStatus, Message, ProposalRuling
from chat.queries.similar import similar_memories
from chat.queries.snapshot import project_snapshot
from chat.search.embedding import pending
from realtime.models import Event, Job
from realtime.protocol.errors import BadRequest, Conflict, NotFound
from realtime.protocol.streams import StreamName
from tests.api.conftest import ApiClient, assert_problem
from tests.context.conftest import Conversation, carry_out, claimed_job
from tests.log.world import frames, head, together

pytestmark = pytest.mark.django_db(transaction=True)

SAID = "Decision: we ship uploads on Friday"


def proposed(conversation: Conversation, text: str = SAID) -> Memory:
    """What comes of a message with the text: one proposal."""
    message = conversation.say(text)
    conversation.follow()
    row: Memory = Memory.objects.get(source_message=message.pk)
    assert row.status == MemoryStatus.PROPOSED
    return row


def source(row: Memory) -> int:
    assert row.source_message is not None
    return row.source_message


def path(conversation: Conversation, row: Memory, what: str) -> str:
    return f"{conversation.team.path}proposals/{row.pk}/{what}/"


def stored_texts() -> str:
    return " ".join(bytes(row.frame).decode() for row in Event.objects.all())


def test_decision_in_a_message_is_proposed(conversation: Conversation) -> None:
    """Told before the completion, as `memory_stored`, with its source; once."""
    message = conversation.say(SAID)
    events = conversation.follow()
    assert [event["type"] for event in events] == ["memory_stored", "context_analysis_complete"]
    memory = events[0]["data"]["memory"]
    assert (memory["kind"], memory["title"], memory["body"], memory["status"]) == (
        "decision",
        "We ship uploads on Friday",
        SAID,
        "proposed",
    )
    assert memory["source"] == {"message": message.pk}
    assert memory["expires_at"] is not None
    conversation.say("nothing of interest")
    assert "memory_stored" not in [event["type"] for event in conversation.follow()]
    conversation.say(SAID)
    assert "memory_stored" not in [event["type"] for event in conversation.follow()]


def test_proposal_is_seen_by_clients_and_by_nobody_else(conversation: Conversation) -> None:
    """Not by search, the AI, its sources, the embedder, the summary, other memories."""
    row = proposed(conversation)
    project, owner = conversation.project, conversation.team.owner

    def seen() -> list[bool]:
        conversation.say(f"uploads on Friday? [memory:{row.pk}]")
        done = conversation.follow()[-1]["data"]
        passages = KeywordRetrieval().relevant(project, "ship uploads", limit=9)
        return [
            row.pk in [one["memory"] for one in done["memories"]],
            row.pk in [one.memory.pk for one in similar_memories(project, "ship uploads").matches],
            ("memory", row.pk) in [(one.kind, one.id) for one in passages],
            sources_of(project, f"[memory:{row.pk}]") != [],
            row.pk in [one.memory for one in pending("model", "1")],
            row.title
            in project_snapshot(owner, StreamName.parse(conversation.team.stream))["summary"],
        ]

    assert seen() == [False] * 6
    with pytest.raises(BadRequest, match="other memories"):
        store_memory(owner, project, title="top", depends_on=[row.pk])
    accept_proposal(owner, project, row.pk)
    assert seen() == [True] * 6
    store_memory(owner, project, title="top", depends_on=[row.pk])


def test_proposals_are_listed_and_accepted_with_changes(
    conversation: Conversation, member: ApiClient, viewer: ApiClient, stranger: ApiClient
) -> None:
    """Viewers read, members act; what was accepted is a memory like any, and does not expire."""
    row = proposed(conversation)
    listing = f"{conversation.team.path}proposals/"
    assert [one["id"] for one in viewer.get(listing).json()["results"]] == [row.pk]
    assert viewer.get(f"{conversation.team.path}memories/").json()["results"] == []
    assert_problem(viewer.post(path(conversation, row, "accept")), 403, "forbidden")
    assert_problem(viewer.post(path(conversation, row, "discard")), 403, "forbidden")
    assert_problem(stranger.post(path(conversation, row, "accept")), 404, "not_found")
    assert_problem(stranger.get(listing), 404, "not_found")
    before = head(conversation.team.stream)
    changes = {"title": "Uploads ship on Friday", "kind": "fact"}
    accepted = member.post(path(conversation, row, "accept"), changes)
    assert accepted.status_code == 200, accepted.content
    memory = accepted.json()
    assert {**memory, **changes, "status": "kept", "body": SAID, "expires_at": None} == memory
    (event,) = frames(conversation.team.stream, before)
    assert (event["type"], event["data"]["memory"]) == ("memory_updated", memory)
    assert viewer.get(listing).json()["results"] == []
    assert [one["id"] for one in viewer.get(f"{conversation.team.path}memories/").json()["results"]]


def test_accepting_takes_no_body_and_refuses_a_wrong_one(
    conversation: Conversation, owner: ApiClient
) -> None:
    """As it was proposed; an empty title or another project's address changes nothing."""
    row = proposed(conversation)
    assert_problem(owner.post(path(conversation, row, "accept"), {"title": ""}), 400, "bad_request")
    assert_problem(owner.post(path(conversation, row, "accept"), {"kind": "x"}), 400, "bad_request")
    assert_problem(owner.post(f"/api/projects/999/proposals/{row.pk}/accept/"), 404, "not_found")
    accepted = owner.client.generic("POST", path(conversation, row, "accept"))
    assert accepted.status_code == 200, accepted.content
    assert accepted.json()["title"] == row.title


def test_who_comes_second_hears_who_was_first(
    conversation: Conversation, owner: ApiClient, member: ApiClient
) -> None:
    """409, whatever either of them wanted."""
    kept = proposed(conversation)
    gone = proposed(conversation, "Risk: the disk fills up")
    assert member.post(path(conversation, kept, "accept")).status_code == 200
    assert member.post(path(conversation, gone, "discard")).status_code == 204
    assert not Memory.objects.filter(pk=gone.pk).exists()
    for row, verb in ((kept, "accepted"), (gone, "discarded")):
        for what in ("accept", "discard"):
            problem = assert_problem(owner.post(path(conversation, row, what)), 409, "conflict")
            assert f"bob has {verb}" in problem["detail"]
    plain = conversation.remember("plain")
    assert_problem(owner.post(path(conversation, plain, "discard")), 409, "conflict")
    assert_problem(owner.post(f"{conversation.team.path}proposals/999/accept/"), 404, "not_found")


def test_of_two_at_once_one_wins(conversation: Conversation) -> None:
    """And the other is told so; both rulings at once would be neither."""
    team, row = conversation.team, proposed(conversation)
    answers = together(
        lambda: accept_proposal(team.owner, conversation.project, row.pk),
        lambda: discard_proposal(team.member, conversation.project, row.pk),
    )
    errors = [one for one in answers if isinstance(one, Exception)]
    assert [type(one) for one in errors] == [Conflict]
    accepted = Memory.objects.filter(pk=row.pk, status=MemoryStatus.KEPT).exists()
    assert ProposalRuling.objects.get().accepted is accepted
    assert ("Ada has accepted" if accepted else "bob has discarded") in str(errors[0])


def test_rulings_are_forgotten_after_a_week(conversation: Conversation) -> None:
    """With the next one of the project; a late visitor is told that there is none."""
    row = proposed(conversation)
    discard_proposal(conversation.team.owner, conversation.project, row.pk)
    ProposalRuling.objects.update(at=timezone.now() - timedelta(days=8))
    other = proposed(conversation, "Risk: the disk fills up")
    accept_proposal(conversation.team.owner, conversation.project, other.pk)
    assert [one.memory for one in ProposalRuling.objects.all()] == [other.pk]
    with pytest.raises(NotFound):
        discard_proposal(conversation.team.owner, conversation.project, row.pk)


def test_deleted_message_takes_its_open_proposal_along(conversation: Conversation) -> None:
    """The row, and its text in the log."""
    row = proposed(conversation, "Decision: the password is Xylophone7")
    before = head(conversation.team.stream)
    delete_message(conversation.team.owner, source(row))
    told = frames(conversation.team.stream, before)
    assert [event["type"] for event in told] == ["message_deleted", "memory_deleted"]
    assert not Memory.objects.exists()
    assert "Xylophone7" not in stored_texts()


def test_discarded_proposal_is_blanked_with_its_message(conversation: Conversation) -> None:
    """Later, when it is no row any more."""
    row = proposed(conversation, "Decision: the password is Xylophone7")
    discard_proposal(conversation.team.owner, conversation.project, row.pk)
    assert "Xylophone7" in stored_texts()
    delete_message(conversation.team.owner, source(row))
    assert "Xylophone7" not in stored_texts()


def test_accepted_memory_outlives_its_message(conversation: Conversation) -> None:
    """It is the members' own: what they accepted stays, what was proposed is blanked."""
    row = proposed(conversation)
    accept_proposal(conversation.team.member, conversation.project, row.pk)
    delete_message(conversation.team.owner, source(row))
    stored, updated = [
        event["data"]["memory"]
        for event in frames(conversation.team.stream)
        if event["type"] in {"memory_stored", "memory_updated"}
    ]
    assert (stored["title"], stored["body"]) == ("", "")
    assert updated["title"] == row.title
    assert Memory.objects.get(pk=row.pk).title == row.title


def test_edit_that_takes_it_back_discards_the_proposal(conversation: Conversation) -> None:
    """One that leaves the sentence in does not; and nothing is proposed from an edit."""
    row = proposed(conversation)
    owner = conversation.team.owner
    edit_message(owner, source(row), body=f"{SAID}\nSee you there")
    assert Memory.objects.filter(pk=row.pk).exists()
    edit_message(owner, source(row), body="Decision: no uploads at all")
    assert not Memory.objects.exists()
    assert conversation.follow() == []


@pytest.mark.parametrize("bulk", ["update", "delete"])
def test_bulk_writes_withdraw_proposals_too(conversation: Conversation, bulk: str) -> None:
    """Whoever writes: the receivers see to it."""
    row = proposed(conversation)
    kept = proposed(conversation, "Risk: the disk fills up")
    rows = Message.objects.filter(pk=source(row))
    _ = rows.update(deleted_at=timezone.now()) if bulk == "update" else rows.delete()
    assert [one.pk for one in Memory.objects.all()] == [kept.pk]


def test_message_changed_during_its_analysis_proposes_nothing(
    conversation: Conversation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it does not say any more when the findings are kept."""
    message = conversation.say(SAID)
    step = analysis.STEPS[Step.SUMMARY]

    def edited(found: Any) -> None:
        edit_message(conversation.team.owner, message.pk, body="never mind")
        step(found)

    monkeypatch.setitem(analysis.STEPS, Step.SUMMARY, edited)
    conversation.follow()
    assert not Memory.objects.exists()


def test_what_is_remembered_already_is_not_proposed(conversation: Conversation) -> None:
    """Of the same kind and title, whatever the case."""
    conversation.remember("We ship UPLOADS on Friday", kind="decision")
    conversation.say(SAID)
    conversation.follow()
    assert not Memory.objects.proposed().exists()
    conversation.say("Risk: we ship uploads on Friday")
    conversation.follow()
    assert Memory.objects.proposed().get().kind == "risk"


def test_open_proposals_are_bounded(
    conversation: Conversation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The oldest is discarded; kept memories and other projects' do not count."""
    monkeypatch.setattr("chat.actions.proposals.MOST_PROPOSALS", 2)
    conversation.remember("kept")
    rows = [proposed(conversation, f"Risk: number {word}") for word in ("one", "two")]
    before = head(conversation.team.stream)
    message = conversation.say("two more")
    with transaction.atomic():
        more = [Proposal(MemoryKind.FACT, word, word) for word in ("two", "more")]
        propose(conversation.project, message.pk, more)
    told = [
        (event["type"], event["data"]["memory"])
        for event in frames(conversation.team.stream, before)
        if event["type"] == "memory_deleted"
    ]
    assert sorted(told) == [("memory_deleted", row.pk) for row in rows]
    assert Memory.objects.proposed().count() == 2
    assert Memory.objects.kept().count() == 1


def test_proposal_expires_after_a_week(conversation: Conversation) -> None:
    """Warned of a day before, which is blanked with the message too; an accepted one stays."""
    row = proposed(conversation)
    kept = proposed(conversation, "Risk: the disk fills up")
    accept_proposal(conversation.team.owner, conversation.project, kept.pk)

    def after(days: float) -> list[str]:
        rows: QuerySet[Memory] = QuerySet(Memory)
        rows.update(expires_at=F("expires_at") - timedelta(days=days))
        before = head(conversation.team.stream)
        jobs.expire_memories.enqueue()
        carry_out(jobs.expire_memories, claimed_job())
        Job.objects.all().delete()
        return [event["type"] for event in frames(conversation.team.stream, before)]

    assert after(5.9) == []
    assert after(0.2) == ["memory_updated"]
    assert after(1) == ["memory_expired"]
    assert [one.pk for one in Memory.objects.all()] == [kept.pk]
    delete_message(conversation.team.owner, source(row))
    assert row.title not in stored_texts()


def test_proposal_is_accepted_before_it_is_changed(
    conversation: Conversation, owner: ApiClient
) -> None:
    """Changing one would leave open whose words it has; deleting it is discarding it."""
    row = proposed(conversation)
    address = f"{conversation.team.path}memories/{row.pk}/"
    assert owner.get(address).json()["status"] == "proposed"
    assert_problem(owner.patch(address, {"title": "mine"}), 409, "conflict")
    with pytest.raises(Conflict, match="got a proposal"):
        update_memory(conversation.team.owner, row.pk, pinned=True)
    delete_memory(conversation.team.owner, row.pk)
    assert not Memory.objects.exists()
