"""From what a client asks a list for to the rows."""

from typing import Any

from django.db.models import Q, QuerySet

from chat.api.inputs import MemoryQuery, MessageQuery
from chat.models import Memory, Message
from realtime.api.pages import PageQuery

_LOOKUPS = {
    "since": "created_at__gte",
    "until": "created_at__lt",
    "min_importance": "importance__gte",
}


def _wanted(query: PageQuery) -> dict[str, Any]:
    """The given fields as lookups: by the field's own name where the table has no other."""
    given = query.model_dump(exclude_none=True, exclude={"cursor", "limit", "q"})
    return {_LOOKUPS.get(name, name): value for name, value in given.items()}


def filtered_messages(rows: QuerySet[Message], query: MessageQuery) -> QuerySet[Message]:
    rows = rows.filter(**_wanted(query))
    return rows.filter(body__icontains=query.q) if query.q else rows


def filtered_memories(rows: QuerySet[Memory], query: MemoryQuery) -> QuerySet[Memory]:
    rows = rows.filter(**_wanted(query))
    if query.q:
        rows = rows.filter(Q(title__icontains=query.q) | Q(body__icontains=query.q))
    return rows
