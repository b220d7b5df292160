"""What sockets acknowledge, into the ranges of their people.

A cursor that a client reports is never taken beyond what was written to its socket, and counts
from where its subscription began. See docs/delivery.md.
"""

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from realtime.broadcasts.standing import shown_from
from realtime.delivery.ranges import Range
from realtime.delivery.writing import flush, steps_of
from realtime.sockets.commands import Command, register_command
from realtime.sockets.sweep import register_sweep

if TYPE_CHECKING:
    from realtime.hub.subscription import Subscription
    from realtime.sockets.connection import Connection

MAX_CURSORS = 200


class Ack(Command):
    cursors: dict[str, Annotated[int, Field(ge=0, strict=True)]] = Field(max_length=MAX_CURSORS)


def opened(
    subscription: "Subscription",
    epoch: str,
    *,
    recovered: bool,
    snapshot: Mapping[str, Any] | None,
) -> None:
    """A subscription begins: a snapshot has everything up to its head, but for broadcasts that it
    is too short for and what lies before them; a resumed position acknowledges itself, and any
    other start is noted for a position that is resumed later.

    `epoch` is the one that the reply says.
    """
    start = subscription.cursor
    steps = steps_of(subscription.stream.id, subscription.sink.user_id, epoch)
    if recovered:
        steps.resumed(start, at=time.monotonic())
    elif snapshot is not None:
        steps.arrived(Range(shown_from(snapshot), start))
    else:
        steps.arrived(Range(start + 1, start))


def acknowledge(subscription: "Subscription", seq: int) -> None:
    """Everything from the subscription's start to `seq` has arrived; cumulative, never back."""
    before, after = subscription.acked, min(seq, subscription.cursor)
    if after > before:
        subscription.acked = after
        stream = subscription.stream
        steps = steps_of(stream.id, subscription.sink.user_id, stream.epoch)
        steps.arrived(Range(before + 1, after))


async def ack(connection: "Connection", command: Ack) -> dict[str, Any]:
    """Raises NotSubscribed, before anything is counted."""
    for stream in command.cursors:
        connection.cursor(stream)
    for stream, seq in command.cursors.items():
        acknowledge(connection.subscriptions[stream], seq)
    return {}


register_command("ack", Ack, ack)
register_sweep(flush)
