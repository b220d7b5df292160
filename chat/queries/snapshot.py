"""A stream's present state, for a client that starts fresh; runs inside the head's snapshot."""

from typing import Any

from chat import events
from chat.models import AiRun, Membership, Memory, Message, MessageKind, Project, ReadCursor
from chat.queries.context import summary_of
from realtime.protocol.streams import StreamName

RECENT_MESSAGES = 50
RECENT_MEMORIES = 50
MOST_PROPOSALS = 50  # open ones of a project


def project_snapshot(user: Any, stream: StreamName) -> dict[str, Any]:
    """`{project, role, people, messages, answers, reads, memories, summary}`; lists ascend by id.

    `answers` are the runs of the AI behind those of the messages that it wrote.
    """
    row = Project.objects.get(pk=stream.key or 0)
    people = list(row.memberships.select_related("user").order_by("pk"))
    messages = list(row.messages.select_related("author").order_by("-pk")[:RECENT_MESSAGES])
    return {
        "project": events.project(row),
        "role": next((p.role for p in people if p.user_id == user.pk), None),
        "people": [events.member(person) for person in people],
        "messages": [events.message(message) for message in reversed(messages)],
        "answers": _answers(messages),
        "reads": {
            str(key): seq
            for key, seq in ReadCursor.objects.filter(project=row, seq__gt=0).values_list(
                "user_id", "seq"
            )
        },
        "memories": [events.memory(memory) for memory in _memories(row)],
        "summary": summary_of(row.pk),
    }


def _answers(messages: list[Message]) -> list[dict[str, Any]]:
    ids = [message.pk for message in messages if message.kind == MessageKind.AI]
    rows = AiRun.objects.filter(message__in=ids).order_by("message") if ids else ()
    return [{**events.run(run), "sources": run.sources} for run in rows]


def _memories(row: Project) -> list[Memory]:
    """All pinned ones (as many as there are recent ones at most), the newest, and the proposals."""
    every = row.memories.prefetch_related("dependencies")
    pinned = every.filter(pinned=True).order_by("-pk")[:RECENT_MEMORIES]
    recent = every.kept().order_by("-pk")[:RECENT_MEMORIES]
    proposed = every.proposed().order_by("-pk")[:MOST_PROPOSALS]
    found = {memory.pk: memory for memory in (*pinned, *recent, *proposed)}
    return [found[key] for key in sorted(found)]


def user_snapshot(user: Any, stream: StreamName) -> dict[str, Any]:
    """`{projects: [{..., role}]}`: what `user.<id>` tells of."""
    rows = Membership.objects.select_related("project").filter(user=user).order_by("project_id")
    return {"projects": [{**events.project(row.project), "role": row.role} for row in rows]}
