"""Which memories are of another relevance than they were told to be."""

from datetime import datetime

from chat.models import Memory

PAGE = 500
_NEEDED = ("project_id", "importance", "pinned", "relevance", "uses", "used_at", "updated_at")


def page_of_faded(after: int, now: datetime) -> tuple[int | None, dict[int, list[int]]]:
    """Of the first kept memories with ids above `after`: the last id, None where there is none, and
    by project those whose relevance is another one now."""
    rows = list(Memory.objects.kept().filter(pk__gt=after).only(*_NEEDED).order_by("pk")[:PAGE])
    found: dict[int, list[int]] = {}
    for row in rows:
        if row.relevance != row.relevance_at(now):
            found.setdefault(row.project_id, []).append(row.pk)
    return (rows[-1].pk if rows else None), found
