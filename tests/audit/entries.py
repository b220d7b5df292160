"""What has been recorded, as tests look at it."""

from typing import Any

from django.db import connection

from realtime.audit.recording import write_recorded
from realtime.models import AuditEntry


def recorded(*actions: str) -> list[AuditEntry]:
    """The entries, oldest first; of these actions if any are named.

    A test that rolls everything back never commits: what waits for that is written first.
    """
    if connection.in_atomic_block:
        write_recorded()
    rows = AuditEntry.objects.order_by("seq")
    return list(rows.filter(action__in=actions) if actions else rows)


def tampered(sql: str, *parameters: Any) -> None:
    """Run `sql` past the guard, as the owner of the database could."""
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute("DROP TRIGGER audit_no_update")
            cursor.execute("DROP TRIGGER audit_no_delete")
        else:
            cursor.execute("ALTER TABLE realtime_auditentry DISABLE TRIGGER ALL")
        cursor.execute(sql, parameters)
