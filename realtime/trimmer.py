"""The log is trimmed every 10 minutes or so, a step at a time: by a worker's periodic job or, where
none works, by each serving process itself."""

import asyncio
import logging
import random
from datetime import timedelta

from django.db.models.functions import Now

from realtime.database import in_database
from realtime.log.retention import trimming
from realtime.models import PeriodicJob
from realtime.protocol.errors import RealtimeError

EVERY_S = 600.0
JITTER = 0.25  # so that the processes of a site do not trim together
RETENTION = "retention"  # the periodic job's name
PAUSE_S = 0.01  # between two transactions, so that writers get their turn

logger = logging.getLogger(__name__)


async def keep_trimmed() -> None:
    """The node's trimming task; it ends with the node, at most one transaction later."""
    while True:
        await asyncio.sleep(random.uniform(1 - JITTER, 1 + JITTER) * EVERY_S)
        try:
            gone = 0 if await in_database(worker_trims) else await trim()
        except RealtimeError as error:
            logger.warning("log not trimmed: %s", error.message)
        except Exception:
            # A named top-level loop: if it ended, the log would grow for ever.
            logger.exception("log not trimmed")
        else:
            if gone:
                logger.info("log trimmed rows=%d", gone)


def worker_trims() -> bool:
    """Whether some worker moved the job's row within its period, as a living one does."""
    recently = Now() - timedelta(seconds=EVERY_S / 2)
    return PeriodicJob.objects.filter(name=RETENTION, next_at__gt=recently).exists()


async def trim() -> int:
    """Trim what is beyond the retention; how many rows went. Raises Unavailable."""
    steps = trimming()
    total = 0
    while (gone := await in_database(next, steps, 0)) > 0:
        total += gone
        await asyncio.sleep(PAUSE_S)
    return total
