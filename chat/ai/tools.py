"""What a model may do by itself, for the member who asked and in their project only.

The project is bound here, by the code that calls; a model cannot name another one.
"""

import json
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Annotated, Any

from pydantic import BaseModel, Field, StringConstraints

from chat.actions.memories import remember
from chat.ai.providers.protocol import Passage, Tool
from chat.ai.retrieval import Retrieval
from chat.models import Memory, User
from realtime.database import in_database
from realtime.protocol.errors import RealtimeError
from realtime.protocol.payloads.memory import MemoryKind
from realtime.protocol.payloads.shape import Title, printable
from realtime.protocol.validation import validated

FOUND = 8
LONGEST_RESULT = 600  # characters of one passage

Query = Annotated[str, StringConstraints(min_length=1, max_length=1_000)]


class _Search(BaseModel):
    query: Query = Field(description="words to search for")


class _Store(BaseModel):
    kind: MemoryKind = "note"
    title: Title
    body: Annotated[str, StringConstraints(max_length=4_000)] = ""


def tools_for(project_id: int, user_id: int, retrieval: Retrieval) -> Sequence[Tool]:
    search = partial(_search, project_id, retrieval)
    return (
        Tool(
            "search_memories",
            "Search what the project knows: its memories and messages.",
            _Search.model_json_schema(),
            partial(search, only=None),
        ),
        Tool(
            "similar_issues",
            "List issues of the project that are like a description.",
            _Search.model_json_schema(),
            partial(search, only="issue"),
        ),
        Tool(
            "store_memory",
            "Store something in the project's memory, when a member asks for it.",
            _Store.model_json_schema(),
            partial(_store, project_id, user_id),
        ),
    )


async def _search(
    project_id: int, retrieval: Retrieval, given: Mapping[str, Any], *, only: str | None
) -> str:
    try:
        query = validated(_Search, given).query
        found = await in_database(_found, project_id, retrieval, query, only)
    except RealtimeError as error:
        return f"refused: {error.message}"
    shown = [
        {"mark": one.citation, "title": one.title, "text": one.text[:LONGEST_RESULT]}
        for one in found
    ]
    return json.dumps(shown, ensure_ascii=False)


def _found(
    project_id: int, retrieval: Retrieval, query: str, only: str | None
) -> Sequence[Passage]:
    found = retrieval.relevant(project_id, query, limit=FOUND)
    if only is None:
        return found
    ids = [one.id for one in found if one.kind == "memory"]
    issues = Memory.objects.kept().filter(project_id=project_id, kind=only, pk__in=ids)
    wanted = set(issues.values_list("pk", flat=True))
    return [one for one in found if one.kind == "memory" and one.id in wanted]


async def _store(project_id: int, user_id: int, given: Mapping[str, Any]) -> str:
    try:
        fields = validated(_Store, given).model_dump()
        printable(fields["body"])
        made = await in_database(_stored, project_id, user_id, fields)
    except (RealtimeError, ValueError) as error:
        return f"refused: {error}"
    return json.dumps({"mark": f"[memory:{made}]"})


def _stored(project_id: int, user_id: int, fields: dict[str, Any]) -> int:
    """As the member could do it: their rights are checked. Raises NotFound, Forbidden."""
    return remember(User.objects.get(pk=user_id), project_id, **fields).pk
