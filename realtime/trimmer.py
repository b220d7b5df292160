"""A serving process trims the log by itself, a step at a time, every 10 minutes or so."""

import asyncio
import logging
import random

from realtime.database import in_database
from realtime.log.retention import trimming
from realtime.protocol.errors import RealtimeError

EVERY_S = 600.0
JITTER = 0.25  # so that the processes of a site do not trim together
PAUSE_S = 0.01  # between two transactions, so that writers get their turn

logger = logging.getLogger(__name__)


async def keep_trimmed() -> None:
    """The node's trimming task; it ends with the node, at most one transaction later."""
    while True:
        await asyncio.sleep(random.uniform(1 - JITTER, 1 + JITTER) * EVERY_S)
        try:
            gone = await trim()
        except RealtimeError as error:
            logger.warning("log not trimmed: %s", error.message)
        except Exception:
            # A named top-level loop: if it ended, the log would grow for ever.
            logger.exception("log not trimmed")
        else:
            if gone:
                logger.info("log trimmed rows=%d", gone)


async def trim() -> int:
    """Trim what is beyond the retention; how many rows went. Raises Unavailable."""
    steps = trimming()
    total = 0
    while (gone := await in_database(next, steps, 0)) > 0:
        total += gone
        await asyncio.sleep(PAUSE_S)
    return total
