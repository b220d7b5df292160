"""Fan-outs of the few events that are followed: how many readers got them, and when."""

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

from realtime.hub.fan_out import FanOut
from realtime.log.entries import Entry
from realtime.tracing.traces import Marked, Traces, traces

LOOK_EVERY_S = 0.001  # at a fan-out in slices, until it is over

Spawn = Callable[..., "asyncio.Task[None]"]


class Arrival(NamedTuple):
    """`at`: when, by `time.time`."""

    traces: Traces
    stream: str
    marked: Marked
    at: float


def arrival(stream: str, entries: Sequence[Entry]) -> Arrival | None:
    """These are about to be handed out; None where none of them is followed."""
    found = traces()
    marked = found.received(stream, entries) if found is not None else None
    return Arrival(found, stream, marked, time.time()) if found is not None and marked else None


def follow(one: Arrival, fan_out: FanOut, spawn: Spawn) -> None:
    """Directly after the fan-out was asked for."""
    if fan_out.running:
        spawn(_tell_later(one, fan_out))
    else:
        _tell(one, fan_out)


async def _tell_later(one: Arrival, fan_out: FanOut) -> None:
    while fan_out.running:  # noqa: ASYNC110 - an Event would be one more place in each stream
        await asyncio.sleep(LOOK_EVERY_S)
    _tell(one, fan_out)


def _tell(one: Arrival, fan_out: FanOut) -> None:
    audience = fan_out.audience
    for seq, mark in one.marked:
        level = sum(len(block.members) for block in audience.blocks if block.cursor >= seq)
        level += sum(reader.cursor >= seq for reader in audience.singles)
        behind = len(audience) - level
        one.traces.handed_out(one.stream, seq, mark, began=one.at, at_once=level, behind=behind)
