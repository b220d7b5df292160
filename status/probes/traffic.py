"""What goes through each node: events of the streams that it has open, and to how many readers."""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from realtime.components import Component, Finding, Look, Measure, Merge, Scope, State
from realtime.hub.subscription import catching_up

if TYPE_CHECKING:
    from realtime.hub.stream import HubStream
    from realtime.node import Node

LISTED = 5  # streams each node names


class Traffic:
    """Compares positions with those of the last look: nothing is counted where events pass.

    A stream that was opened since counts from the next look on. Events times the readers of this
    moment is what was delivered, but for who came or went meanwhile.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._at = clock()
        self._positions: dict[str, int] = {}

    def take(self, streams: "list[HubStream]") -> tuple[dict[str, float], list[dict[str, Any]]]:
        """Values of the measures, and the busiest streams."""
        now = self._clock()
        passed_s = max(now - self._at, 0.001)
        before, self._at = self._positions, now
        self._positions = {stream.name: stream.last for stream in streams}
        late = {one.stream for one in catching_up}
        told = []
        for stream in streams:  # one for every person here, and nearly all of them at rest
            last = stream.last
            known = before.get(stream.name, last)
            if last != known or stream in late:
                told.append(_row(stream, known, stream.audience.behind, passed_s))
        values = {
            name: sum((row[name] for row in told), start=0.0)
            for name in ("events_per_s", "delivered_per_s", "behind")
        }
        told = [row for row in told if row["events_per_s"] or row["behind"]]
        told.sort(key=lambda row: (-row["behind"], -row["delivered_per_s"], row["stream"]))
        return values, told[:LISTED]


def _row(stream: "HubStream", before: int, behind: int, passed_s: float) -> dict[str, Any]:
    readers = len(stream.audience)
    events = max(0, stream.last - before)  # a log that was reset goes back
    return {
        "stream": stream.name,
        "readers": readers,
        "events_per_s": events / passed_s,
        "delivered_per_s": events * readers / passed_s,
        "behind": float(behind),
    }


def probe(node: "Node | None") -> Look:
    traffic = Traffic()

    async def look() -> Finding | None:
        if node is None:
            return None
        values, busiest = traffic.take(list(node.hub.streams.values()))
        return Finding(State.OK, "", values, {"streams": busiest} if busiest else {})

    return look


COMPONENT = Component(
    name="traffic",
    label="Traffic",
    scope=Scope.NODE,
    every_s=2.0,
    limit_s=1.0,
    meaning={
        State.DEGRADED: "never: how much is too much is a rule's business",
        State.DOWN: "never",
    },
    measures=(
        Measure("events_per_s", "per_s", "events of streams that a node has open", Merge.SUM),
        Measure("delivered_per_s", "per_s", "of them, times their readers there", Merge.SUM),
        Measure("behind", "", "readers that are being caught up from the log", Merge.SUM),
    ),
    probe=probe,
)
