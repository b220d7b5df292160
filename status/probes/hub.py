"""Delivery in each node: what no hint brought, and what waits to be told to the others."""

from typing import TYPE_CHECKING

from realtime import publisher
from realtime.components import Component, Finding, Look, Measure, Merge, Scope, State

if TYPE_CHECKING:
    from realtime.node import Node


def probe(node: "Node | None") -> Look:
    last: dict[str, int] = {}

    def since_last(now: dict[str, int]) -> dict[str, float]:
        nonlocal last
        # A closed stream takes its count with it, a fork the publisher's.
        found = {name: float(max(0, value - last.get(name, value))) for name, value in now.items()}
        last = now
        return found

    async def look() -> Finding | None:
        if node is None:
            return None
        hub, told = node.hub, publisher.publisher()
        healed = sum(stream.healed for stream in list(hub.streams.values()))
        values = since_last(
            {
                "healed": healed,
                "unannounced": hub.layer.unannounced,
                "hints_sent": told.sent,
                "hints_failed": told.failed,
                "hints_dropped": told.dropped,
            }
        )
        values["streams"] = float(len(hub.streams))
        values["queued"] = float(told.queued)
        lost = values["hints_failed"] + values["hints_dropped"]
        if lost and not hub.layer.polling:
            text = f"{lost:.0f} hints were not sent; nodes found the events by themselves"
            return Finding(State.DEGRADED, text, values)
        return Finding(State.OK, "", values)

    return look


COMPONENT = Component(
    name="delivery",
    label="Delivery",
    scope=Scope.NODE,
    every_s=5.0,
    limit_s=1.0,
    meaning={
        State.DEGRADED: "hints to other nodes were lost although the layer answers",
        State.DOWN: "never: an event that no hint brings is found by its position",
    },
    measures=(
        Measure("healed", "", "events that were read because no hint brought them", Merge.SUM),
        Measure("unannounced", "", "of them, those that no hint announced at all", Merge.SUM),
        Measure("hints_sent", "", "hints sent since the last look", Merge.SUM),
        Measure("hints_failed", "", "hints that the layer did not take", Merge.SUM),
        Measure(
            "hints_dropped", "", "hints dropped here, the queue or the layer being full", Merge.SUM
        ),
        Measure("queued", "", "hints that wait to be sent", Merge.SUM),
        Measure("streams", "", "streams that are open", Merge.SUM),
    ),
    probe=probe,
)
