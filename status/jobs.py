"""The jobs of status: rolling up samples, and telling channels of alerts."""

import asyncio
from typing import Any

from realtime.database import in_database
from realtime.jobs import GiveUp, JobContext, job, periodic
from status.channels.choice import channel_of
from status.channels.notice import NotDelivered, Notice
from status.models import NotificationChannel, Severity
from status.upkeep import EVERY_S, ROLL_UP, roll_up_once

PAUSE_S = 0.01  # between two transactions, so that writers get their turn
ATTEMPTS = 8
MAX_CHANNELS = 50


@periodic(every_s=EVERY_S, name=ROLL_UP)
async def roll_up_samples(context: JobContext) -> None:
    """Into longer steps, and away with what is old."""
    taken = 1
    while taken and not context.cancel_requested.is_set():
        taken = await in_database(roll_up_once)
        await asyncio.sleep(PAUSE_S)


@job(name="status.notify", priority=20, max_attempts=ATTEMPTS, timeout_s=60.0)
async def notify(context: JobContext, *, channel: int, notice: dict[str, Any]) -> None:
    """Tell one channel of one step of an alert: at least once, with the job's id as the key."""
    found = await in_database(_channel, channel)
    if found is None:
        return  # switched off or deleted meanwhile
    try:
        await channel_of(found).deliver(Notice.of(notice), str(context.id))
    except NotDelivered as error:
        if error.final:
            raise GiveUp(str(error)) from error
        raise


def _channel(key: int) -> NotificationChannel | None:
    return NotificationChannel.objects.filter(pk=key, enabled=True).first()


def enqueue_notices(notice: Notice) -> None:
    """A job for each channel that wants it, in the caller's transaction."""
    order = list(Severity.values)
    wanted = order[: order.index(notice.severity) + 1]
    channels = NotificationChannel.objects.filter(enabled=True, at_least__in=wanted)
    for key in channels.order_by("pk").values_list("pk", flat=True)[:MAX_CHANNELS]:
        notify.enqueue(channel=key, notice=notice.data)
