"""Messages at a steady rate to the sockets of rooms: server CPU per delivery, and times.

Parameters: `sockets` readers over `rooms`, `writers` sockets that publish (at least one per room),
`rate` messages a second over all rooms, `burst` of them at the same moment, `size` bytes of a body,
`seconds`.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bench.measures.stage import Stage, settle, times

WARM_UP_S = 0.5  # what the slowest can deliver before it is measured
QUIET_S = 2.0  # nothing came for so long: nothing will
DRAIN_LIMIT_S = 3.0
LATE_S = 0.5  # deliveries that go on for so long after the last message: a queue has grown


@dataclass(frozen=True)
class Load:
    """What is published in one window."""

    sockets: int
    rooms: int
    rate: float
    burst: int
    size: int
    seconds: float
    writers: int

    @property
    def messages(self) -> int:
        """A multiple of bursts, and of writers where each has a turn: then every room gets the same
        number. Where there are more of them than messages, some rooms get none."""
        due = self.rate * self.seconds
        turn = self.writers if self.burst <= self.writers <= due else self.burst
        return max(1, round(due / turn)) * turn

    @property
    def deliveries(self) -> int:
        return self.messages * self.sockets // self.rooms


def load_of(parameters: Mapping[str, Any], **changes: Any) -> Load:
    """Parameters of a case; a room without a writer of its own gets one."""
    found = {**parameters, **changes}
    rooms = found.get("rooms", 1)
    return Load(
        sockets=found["sockets"],
        rooms=rooms,
        rate=found["rate"],
        burst=found.get("burst", 1),
        size=found["size"],
        seconds=found["seconds"],
        writers=max(rooms, found.get("writers", 1)),
    )


def fan_out(stage: Stage, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Connect, warm up, publish, and wait for what is due."""
    load = load_of(parameters)
    stage.seat_readers(load.sockets, load.rooms)
    stage.seat_writers(load.writers, load.rooms)
    settle(stage.server)
    publish(stage, load_of(parameters, seconds=WARM_UP_S))
    return publish(stage, load)


def publish(stage: Stage, load: Load, *, drain_s: float = DRAIN_LIMIT_S) -> dict[str, Any]:
    """The figures of one window on seated readers and writers; what has not arrived `drain_s` after
    the last message is lost. Raises RuntimeError when nothing at all arrived."""
    stage.readers.window(stage.base)
    refused = stage.writers.window(stage.base)["refused"]
    cpu_s, generator_s, begin = stage.server.cpu_s(), stage.readers.cpu_s, time.monotonic()
    published = stage.writers.publish(
        load.messages,
        burst=load.burst,
        interval_s=load.burst / load.rate,
        size=load.size,
        base=stage.base,
    )
    stage.base += load.messages + 1
    took = stage.readers.collect(load.deliveries, quiet_s=QUIET_S, limit_s=drain_s)
    cpu_s, elapsed_s = stage.server.cpu_s() - cpu_s, time.monotonic() - begin
    # Writers that are in their room are sent what they wrote: the server paid for that too.
    writers = stage.writers.collect(0, quiet_s=0, limit_s=0)
    deliveries = took["deliveries"]
    sent = deliveries + writers["deliveries"]
    lost = load.deliveries - deliveries
    refusals = writers["refused"] - refused
    if not deliveries:
        raise RuntimeError(f"expected {load.deliveries} deliveries, got none, {refusals} refused")
    return {
        "cpu_us_per_delivery": round(cpu_s / sent * 1e6, 3),
        **times(took, "latency"),
        "deliveries": deliveries,
        "deliveries_per_s": round(deliveries / max(took["delivering_s"], 1e-9), 1),
        "lost": lost,
        "repeated": took["repeated"],
        "refused": refusals,
        "closed": took["closed"],
        "saturated": lost > 0 or took["delivering_s"] > published["publishing_s"] + LATE_S,
        "cpu_share": round(cpu_s / elapsed_s, 3),
        "generator_share": round((took["cpu_s"] - generator_s) / elapsed_s, 3),
        "late_max_ms": round(published["late_max_ms"], 3),
        "rss_mb": round(stage.server.rss_mb(), 1),
    }
