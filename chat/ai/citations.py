"""The sources of an answer: what it cites, as far as the project has it."""

import re
from typing import Any

from chat.models import Memory, Message

MOST_SOURCES = 20
LONGEST_TITLE = 120
_MARK = re.compile(r"\[(memory|message):([1-9][0-9]{0,17})\]")


def sources_of(project_id: int, text: str) -> list[dict[str, Any]]:
    """Each source once, in order; marks of what the project does not have are no sources."""
    cited = list(dict.fromkeys((kind, int(number)) for kind, number in _MARK.findall(text)))
    titles = {**_memories(project_id, cited), **_messages(project_id, cited)}
    return [
        {"kind": kind, "id": number, "title": titles[kind, number]}
        for kind, number in cited
        if (kind, number) in titles
    ][:MOST_SOURCES]


def _memories(project_id: int, cited: list[tuple[str, int]]) -> dict[tuple[str, int], str]:
    ids = [number for kind, number in cited if kind == "memory"]
    rows = Memory.objects.kept().filter(project_id=project_id, pk__in=ids) if ids else ()
    return {("memory", row.pk): row.title for row in rows}


def _messages(project_id: int, cited: list[tuple[str, int]]) -> dict[tuple[str, int], str]:
    ids = [number for kind, number in cited if kind == "message"]
    rows = Message.objects.filter(project_id=project_id, pk__in=ids, deleted_at=None) if ids else ()
    return {("message", row.pk): " ".join(row.body.split())[:LONGEST_TITLE] for row in rows}
