"""Memories whose time comes: a warning a day before, then their end."""

from django.utils import timezone

from chat.models import Memory
from chat.queries.expiry import due_memories, expiring
from realtime.log.locks import lock_streams
from realtime.log.writing import publishing_together
from realtime.protocol.streams import project_stream


def expire_memories(project_id: int) -> int:
    """Warn of a batch and delete what has expired; how many there were.

    In the effect of the job (`JobContext.fenced`). The warning is a change of the memory, and its
    end a deletion: both are told by their receivers.
    """
    lock_streams(project_stream(project_id))
    now = timezone.now()
    rows = due_memories(project_id, now)
    gone = [row.pk for row in rows if row.expires_at is not None and row.expires_at <= now]
    with publishing_together():
        for row in rows:
            if row.pk not in gone:
                row.expiring = expiring(row, now)
                row.save(update_fields=["expiring"])  # `updated_at` stays: nobody wrote
        Memory.objects.filter(pk__in=gone).delete()
    return len(rows)
