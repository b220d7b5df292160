"""What workers do for broadcasts. Imported by every worker, and by whoever enqueues."""

import time

from realtime.broadcasts.turns import Turns
from realtime.database import in_database
from realtime.jobs.context import JobContext
from realtime.jobs.declaring import job
from realtime.jobs.periodic import periodic

ATTEMPTS = 8  # about a quarter of an hour with the pauses between them
TIMEOUT_S = 60.0
MEND_EVERY_S = 60.0
MEND_FOR_S = 20.0  # what is not counted by then is the next time's, the longest forgotten first
CLEAN_EVERY_S = 3600.0

_turns = Turns()


@job(name="realtime.publish_broadcast", max_attempts=ATTEMPTS, timeout_s=TIMEOUT_S)
async def publish_broadcast(context: JobContext, broadcast: int) -> None:
    from realtime.broadcasts.publishing import publish_broadcast_now

    async with _turns.taken(context.priority):
        await context.complete(publish_broadcast_now, broadcast)


@job(name="realtime.end_broadcast", max_attempts=ATTEMPTS, timeout_s=TIMEOUT_S)
async def end_broadcast(context: JobContext, broadcast: int) -> None:
    from realtime.broadcasts.ending import expire_broadcast

    await context.complete(expire_broadcast, broadcast)


@job(name="realtime.settle_broadcast", max_attempts=ATTEMPTS, timeout_s=TIMEOUT_S)
async def settle_broadcast(context: JobContext, broadcast: int) -> None:
    from realtime.broadcasts.ending import settle_counts

    await context.complete(settle_counts, broadcast)


@periodic(every_s=MEND_EVERY_S, name="realtime.mend_broadcasts")
async def mend_broadcasts(context: JobContext) -> None:
    """Say of those whose jobs are dead that they failed, end what should have ended, and count what
    a node that died has not counted."""
    from realtime.broadcasts import cleaning, counting

    for broadcast_id in await in_database(cleaning.forsaken):
        await in_database(cleaning.note_failure, broadcast_id)
    for broadcast_id in await in_database(cleaning.overdue):
        await in_database(cleaning.end_overdue, broadcast_id)
    began = time.monotonic()
    while await in_database(counting.count_forgotten):
        if context.cancel_requested.is_set() or time.monotonic() - began > MEND_FOR_S:
            return


@periodic(every_s=CLEAN_EVERY_S, name="realtime.clean_broadcasts")
async def clean_broadcasts(context: JobContext) -> None:
    """Keep the numbers of what ended BROADCAST_RETENTION_DAYS ago, and nothing else of it."""
    from realtime.broadcasts import cleaning

    while await in_database(cleaning.clean_away) and not context.cancel_requested.is_set():
        pass
