"""Old entries go, from the oldest on; the anchor keeps the hash that the rest is checked from."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import takewhile

from django.db import connection, transaction
from django.utils import timezone

from realtime.audit.chaining import locked_head
from realtime.audit.recording import record
from realtime.conf import options
from realtime.models import AuditChain, AuditEntry

BATCH = 1_000  # rows per transaction
TRIMMED = "audit_trimmed"


def trimming_audit() -> Iterator[int]:
    """As `realtime.log.retention.trimming`: a transaction at each `next`, which gives how many
    entries older than AUDIT_RETENTION_DAYS went."""
    aged = timezone.now() - timedelta(days=options().audit_retention_days)
    gone = BATCH
    while gone == BATCH:
        gone = _trim(aged)
        if gone:
            yield gone


def _trim(aged: datetime) -> int:
    if not AuditEntry.objects.filter(at__lt=aged).exists():
        return 0  # nearly always, and nobody waits for the chain
    return _trim_batch(aged)


@transaction.atomic
def _trim_batch(aged: datetime) -> int:
    """Anchor and rows in one commit, with an entry that says so."""
    with connection.cursor() as cursor:
        locked_head(connection, cursor)
    oldest = AuditEntry.objects.order_by("seq").values_list("seq", "hash", "at")[:BATCH]
    old = list(takewhile(lambda one: one[2] < aged, oldest))
    if not old:
        return 0
    last, anchor, _ = old[-1]
    record(
        TRIMMED, actor=None, target=f"audit.{last}", result="done", details={"entries": len(old)}
    )
    AuditChain.objects.filter(pk=1).update(anchor_seq=last, anchor_hash=anchor)
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM realtime_auditentry WHERE seq <= %s", [last])
    return len(old)
