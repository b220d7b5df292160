"""Taking jobs from the queue: one statement, whoever asks at the same time gets others."""

from django.db import connection, transaction

from realtime.conf import options
from realtime.models.job import Job

# ARRAY(...) is evaluated once: with IN the planner may run the subquery again, and claim too many.
_POSTGRESQL = """
    UPDATE realtime_job
    SET state = 'running', attempt = attempt + 1, token = token + 1, worker = %s,
        started_at = statement_timestamp(),
        lease_until = statement_timestamp() + %s * interval '1 second'
    WHERE id = ANY(ARRAY(
        SELECT id FROM realtime_job WHERE state = 'queued'
        ORDER BY priority DESC, run_after, id LIMIT %s FOR UPDATE SKIP LOCKED
    ))
    RETURNING *
"""
# Under the writing lock nobody else claims.
_SQLITE = """
    UPDATE realtime_job
    SET state = 'running', attempt = attempt + 1, token = token + 1, worker = %s,
        started_at = strftime('%%Y-%%m-%%d %%H:%%M:%%f', 'now'),
        lease_until = strftime('%%Y-%%m-%%d %%H:%%M:%%f', 'now', '+' || %s || ' seconds')
    WHERE id IN (
        SELECT id FROM realtime_job WHERE state = 'queued'
        ORDER BY priority DESC, run_after, id LIMIT %s
    )
    RETURNING *
"""


def claim(worker: str, limit: int) -> list[Job]:
    """Up to `limit` queued jobs, the most urgent first, now running on `worker` for one lease."""
    statement = _POSTGRESQL if connection.vendor == "postgresql" else _SQLITE
    with transaction.atomic():
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                # A queue fills faster than its statistics follow: a planner that takes it to be
                # short sorts all of it (65 ms of 100,000 rows) instead of following the index.
                cursor.execute("SET LOCAL enable_sort = off")
        # Fetched to the end: SQLite would not commit otherwise.
        claimed = list(Job.objects.raw(statement, [worker, options().job_lease, limit]))
    return sorted(claimed, key=lambda job: (-job.priority, job.run_after, job.pk))
