"""The periodic jobs of status."""

import asyncio

from realtime.database import in_database
from realtime.jobs import JobContext, periodic
from status.upkeep import EVERY_S, ROLL_UP, roll_up_once

PAUSE_S = 0.01  # between two transactions, so that writers get their turn


@periodic(every_s=EVERY_S, name=ROLL_UP)
async def roll_up_samples(context: JobContext) -> None:
    """Into longer steps, and away with what is old."""
    taken = 1
    while taken and not context.cancel_requested.is_set():
        taken = await in_database(roll_up_once)
        await asyncio.sleep(PAUSE_S)
