"""The sockets of each node."""

from typing import TYPE_CHECKING

from realtime.components import Component, Finding, Look, Measure, Merge, Scope, State
from realtime.conf import options

if TYPE_CHECKING:
    from realtime.node import Node

FULL_PERCENT = 90.0
LAGGING_PERCENT = 10.0
FEW = 20  # sockets, of which a few slow ones say nothing


def probe(node: "Node | None") -> Look:
    refused = 0

    async def look() -> Finding | None:
        nonlocal refused
        if node is None:
            return None
        count = len(node.connections)
        # The others have taken all that they were sent: none of them lags.
        lagging = sum(
            not one.writer.writable and not one.writer.closed for one in list(node.waiting)
        )
        values = {
            "count": float(count),
            "waiting": float(len(node.newcomers)),
            "lagging": float(lagging),
            "refused": float(node.refused - refused),
            "used_percent": (count + len(node.newcomers))
            / options().websocket_max_connections
            * 100,
        }
        refused = node.refused
        return Finding(*_judged(values), values)

    return look


def _judged(values: dict[str, float]) -> tuple[State, str]:
    if values["refused"]:
        return State.DEGRADED, f"{values['refused']:.0f} sockets were refused: all places are taken"
    if values["used_percent"] >= FULL_PERCENT:
        return State.DEGRADED, f"{values['used_percent']:.0f} % of the places are taken"
    if values["count"] >= FEW and values["lagging"] * 100 >= values["count"] * LAGGING_PERCENT:
        return State.DEGRADED, f"{values['lagging']:.0f} of {values['count']:.0f} sockets lag"
    return State.OK, ""


COMPONENT = Component(
    name="sockets",
    label="Sockets",
    scope=Scope.NODE,
    every_s=2.0,
    limit_s=1.0,
    meaning={
        State.DEGRADED: "sockets were refused, 90 % of the places are taken, or a tenth lags",
        State.DOWN: "never: a node that takes none is gone",
    },
    measures=(
        Measure("count", "", "open sockets", Merge.SUM),
        Measure("waiting", "", "sockets that have still to say who they are", Merge.SUM),
        Measure("lagging", "", "of them, those whose clients do not keep up", Merge.SUM),
        Measure("refused", "", "refused since the last look, all places being taken", Merge.SUM),
        Measure("used_percent", "percent", "of the places (WEBSOCKET_MAX_CONNECTIONS)"),
    ),
    probe=probe,
)
