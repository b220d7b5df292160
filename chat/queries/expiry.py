"""Which memories go soon, and which have to go now."""

from datetime import datetime, timedelta

from django.db.models import Q

from chat.models import Memory

WARNED_BEFORE = timedelta(days=1)
BATCH = 100  # memories of one project in one transaction


def expiring(memory: Memory, now: datetime) -> bool:
    return memory.expires_at is not None and memory.expires_at <= now + WARNED_BEFORE


def _due(now: datetime) -> Q:
    """Those that expire, and those whose `expiring` is not what it should be."""
    soon = Q(expires_at__lte=now + WARNED_BEFORE)
    return Q(expires_at__lte=now) | Q(soon, expiring=False) | Q(~soon, expiring=True)


def projects_with_due(now: datetime) -> list[int]:
    rows = Memory.objects.filter(_due(now)).order_by("project_id")
    return list(rows.values_list("project_id", flat=True).distinct())


def due_memories(project_id: int, now: datetime) -> list[Memory]:
    """A batch of one project, oldest first."""
    return list(Memory.objects.filter(_due(now), project_id=project_id).order_by("pk")[:BATCH])
