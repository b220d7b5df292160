"""The channel layer, as each node's own watch sees it: nothing more is sent."""

from typing import TYPE_CHECKING

from realtime.components import Component, Finding, Look, Measure, Scope, State

if TYPE_CHECKING:
    from realtime.node import Node


def probe(node: "Node | None") -> Look:
    missed = 0

    async def look() -> Finding | None:
        nonlocal missed
        if node is None:
            return None
        layer, watch = node.hub.layer, node.hub.watch
        values = {"missed": float(layer.missed - missed)}
        missed = layer.missed
        if watch.round_trip_ms is not None and not layer.missing:
            values["round_trip_ms"] = watch.round_trip_ms
        if layer.polling:
            why = f"{layer.reason}: events arrive by polling the log"
            return Finding(State.DOWN, why, values)
        if layer.missing:
            return Finding(State.DEGRADED, "the newest probe was not heard", values)
        return Finding(State.OK, "", values)

    return look


COMPONENT = Component(
    name="channel_layer",
    label="Channel layer",
    scope=Scope.NODE,
    every_s=1.0,
    limit_s=1.0,
    meaning={
        State.DEGRADED: "a probe was not heard within a second",
        State.DOWN: "hints do not arrive; events come by polling the log, up to half a second late",
    },
    measures=(
        Measure("round_trip_ms", "ms", "from publishing a probe to hearing it, through each shard"),
        Measure("missed", "", "probes not heard since the last look"),
    ),
    probe=probe,
)
