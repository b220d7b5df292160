"""What is found out about a message, and how it is told."""

from typing import Any

import pytest

from chat.actions.memories import store_memory, update_memory
from chat.actions.projects import create_project
from chat.ai.prompt import question_of
from chat.ai.retrieval import KeywordRetrieval
from chat.context.terms import key_terms
from chat.models import Memory
from chat.queries.dependencies import dependents_of
from chat.queries.snapshot import project_snapshot
from realtime.protocol.streams import StreamName
from tests.context.conftest import Conversation

pytestmark = pytest.mark.django_db(transaction=True)

STEPS = ["terms", "memories", "issues", "dependencies", "proposals", "summary"]


def of_type(events: list[dict[str, Any]], name: str) -> dict[str, Any]:
    (found,) = [event["data"] for event in events if event["type"] == name]
    data: dict[str, Any] = found
    return data


def test_message_gets_its_memories_issues_and_what_rests_on_them(
    conversation: Conversation,
) -> None:
    """Each with its score and why; in one commit, the completion last."""
    issue = conversation.remember("Large uploads fill the memory", kind="issue")
    fact = conversation.remember("Uploads are limited to 4 GB", kind="fact")
    plan = conversation.remember("Write uploads to disk", kind="task", depends_on=[issue.pk])
    conversation.remember("Login page loses its style", kind="issue")
    message = conversation.say("Large uploads fill all memory!")
    events = conversation.follow()
    assert [event["type"] for event in events] == [
        "similar_issues_found",
        "context_summary_updated",
        "context_analysis_complete",
    ]
    (found,) = of_type(events, "similar_issues_found")["issues"]
    assert (found["memory"], found["title"]) == (issue.pk, issue.title)
    assert 0 < found["score"] <= 1
    assert "“uploads”" in found["why"]
    done = of_type(events, "context_analysis_complete")
    assert done["message"] == message.pk
    assert done["mode"] == "keywords"
    assert done["memories"][0] == found
    assert {one["memory"] for one in done["memories"]} <= {issue.pk, fact.pk, plan.pk}
    assert plan.pk in done["dependencies"] or plan.pk in [m["memory"] for m in done["memories"]]
    assert done["errors"] == []
    assert list(done["timings_ms"]) == ["queue", *STEPS]
    assert all(value >= 0 for value in done["timings_ms"].values())


def test_progress_is_signalled_step_by_step(conversation: Conversation) -> None:
    """What was found is told as soon as it is known."""
    message = conversation.say("The launch window of the launch is on Friday")
    conversation.follow()
    assert all(data["message"] == message.pk for _, data in conversation.signals)
    steps = [
        (data["step"], data["done"], data["total"])
        for name, data in conversation.signals
        if name == "context_analysis_progress"
    ]
    assert steps == [(step, done, 6) for done, step in enumerate(STEPS)]
    (terms,) = [data for name, data in conversation.signals if name == "key_terms_extracted"]
    assert terms["terms"] == ["launch", "window", "friday"]
    retrieval = [
        (data["step"], data["done"])
        for name, data in conversation.signals
        if name == "memory_retrieval_progress"
    ]
    assert retrieval == [("searching", 0), ("keywords", 1)]


def test_nothing_similar_is_no_event(conversation: Conversation) -> None:
    """Below the threshold nothing is said, rather than the least bad issue."""
    conversation.remember("Login page loses its style", kind="issue")
    conversation.remember("Uploads are limited", kind="fact")
    conversation.say("uploads limited?")
    events = conversation.follow()
    assert "similar_issues_found" not in [event["type"] for event in events]
    assert len(of_type(events, "context_analysis_complete")["memories"]) == 1


def test_named_memory_matters_most(conversation: Conversation) -> None:
    """By its mark, whatever the words say; marks of other projects are of no use."""
    other = create_project(conversation.team.stranger, name="Other")
    secret = store_memory(conversation.team.stranger, other.pk, title="Launch code")
    named = conversation.remember("Tea at four")
    launch = conversation.remember("Launch code of this project")
    conversation.say(f"launch code? [memory:{named.pk}] [memory:{secret.pk}] [memory:{10**17}]")
    done = of_type(conversation.follow(), "context_analysis_complete")
    assert [one["memory"] for one in done["memories"]] == [named.pk, launch.pk]
    assert done["memories"][0]["score"] == 1.0
    assert done["memories"][0]["why"] == "named in the message"


def test_summary_is_told_when_it_changed(conversation: Conversation) -> None:
    """And the old snapshot with the event is the fresh snapshot."""
    name = StreamName.parse(conversation.team.stream)
    conversation.remember("Launch on Friday", kind="decision")
    before = project_snapshot(conversation.team.owner, name)
    assert before["summary"] == ""
    conversation.say("hello everybody")
    told = of_type(conversation.follow(), "context_summary_updated")
    assert told == {"project": conversation.project, "summary": "Decided: Launch on Friday"}
    after = project_snapshot(conversation.team.owner, name)
    assert before["memories"] == after["memories"]
    assert after["summary"] == told["summary"]
    conversation.say("something different")
    assert [event["type"] for event in conversation.follow()] == ["context_analysis_complete"]
    for body in ("the antenna broke", "which antenna?"):
        conversation.say(body)
    told = of_type(conversation.follow(), "context_summary_updated")
    assert told["summary"] == "Lately about: antenna\nDecided: Launch on Friday"


def test_model_is_told_the_summary(conversation: Conversation) -> None:
    """Beside the passages; only once there is one."""
    from chat.actions.answering import Started

    conversation.remember("Launch on Friday", kind="decision")
    message = conversation.say("why?")

    def instructions() -> str:
        started = Started(
            run=1,
            generation=1,
            project=conversation.project,
            session=message.session_id,
            question=message.pk,
            message=message.pk,
            asked_by=conversation.team.owner.pk,
            head=1,
        )
        return question_of(started, KeywordRetrieval()).instructions

    assert "in short" not in instructions()
    conversation.follow()
    assert "The project in short:\nDecided: Launch on Friday" in instructions()


def test_what_rests_on_a_memory_is_found_once_in_any_circle(conversation: Conversation) -> None:
    """The nearest first; a circle ends, and its start is not among what rests on it."""
    first, second, third = (conversation.remember(f"memory {n}") for n in range(3))
    rests = [(second, first), (third, second), (first, third), (third, first)]
    owner = conversation.team.owner
    for memory in (first, second, third):
        on = [other.pk for one, other in rests if one is memory]
        update_memory(owner, memory.pk, depends_on=on)

    def found(*memories: Memory, limit: int = 9) -> list[tuple[int, int]]:
        ids = [memory.pk for memory in memories]
        return list(dependents_of(conversation.project, ids, limit).items())

    assert found(first) == [(second.pk, first.pk), (third.pk, first.pk)]
    assert found(second) == [(third.pk, second.pk), (first.pk, second.pk)]
    assert found(first, limit=1) == [(second.pk, first.pk)]
    assert found(first, third) == [(second.pk, first.pk)]
    assert found(first, second, third) == []


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("", []),
        ("the of and it is", []),
        ("Deploy the deployment: deployed again", ["deployment", "deploy"]),
        ("uploads upload memory", ["uploads", "memory"]),
        ("7 12345 ok antenna", ["antenna"]),
        ("你好世界", ["你好世界"]),
    ],
)
def test_key_terms_are_what_is_said_most(text: str, terms: list[str]) -> None:
    """Forms of one word count as one; numbers and function words do not count."""
    assert sorted(key_terms(text)) == sorted(terms)
    assert len(key_terms(" ".join(f"word{chr(97 + n)}" for n in range(20)))) == 8
