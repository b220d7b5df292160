"""What is read when it is told: how things stand in this process, and counts that others keep."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from realtime import publisher
from realtime.breaker import BreakerState, breakers
from realtime.components import Merge
from realtime.metrics.kinds import SEPARATOR, counted

if TYPE_CHECKING:
    from collections.abc import Iterable

    from realtime.node import Node
    from realtime.sockets.connection import Connection

SILENT = "processes_silent"


@dataclass(frozen=True, slots=True)
class Gauge:
    name: str
    text: str
    labels: tuple[str, ...] = ()
    merge: Merge = Merge.SUM


@dataclass(frozen=True, slots=True)
class Read:
    """A count that another part keeps for this process: it is read, not added to."""

    name: str
    text: str


GAUGES = {
    gauge.name: gauge
    for gauge in (
        Gauge("connections", "open sockets"),
        Gauge("connections_lagging", "sockets whose clients do not keep up"),
        Gauge("queue_bytes", "bytes that wait for the clients of all sockets"),
        Gauge("streams", "streams that are open in the nodes"),
        Gauge("layer_polling", "nodes that poll, because the channel layer does not deliver"),
        Gauge("layer_round_trip_seconds", "the newest probe of the channel layer", (), Merge.MAX),
        Gauge("hints_waiting", "hints that wait to be sent to other nodes"),
        Gauge(
            "breaker_state", "0 closed, 1 lets one probe through, 2 open", ("breaker",), Merge.MAX
        ),
        Gauge("processes", "processes that tell their numbers", ("kind",)),
        Gauge(SILENT, "processes that told their numbers and no longer do, without having stopped"),
    )
}
READS = {
    read.name: read
    for read in (
        Read("hints_sent", "hints sent to other nodes"),
        Read("hints_failed", "hints that the channel layer did not take"),
        Read("hints_dropped", "hints dropped, a queue being full or the layer away"),
        Read("layer_turns", "how often a node turned to polling"),
        Read("layer_rebuilds", "how often a node subscribed to the channel layer anew"),
        Read("layer_unannounced", "events that no hint announced at all"),
    )
}
_BREAKER = {BreakerState.CLOSED: 0.0, BreakerState.HALF_OPEN: 1.0, BreakerState.OPEN: 2.0}


@dataclass(frozen=True, slots=True)
class Numbers:
    """By series. `counts` only rise while the process lives."""

    counts: dict[str, float]
    gauges: dict[str, float]


async def numbers(node: "Node | None") -> Numbers:
    """Of this process; without a node it is a worker. To be called in its loop."""
    told = publisher.publisher()
    counts = counted() | {
        "hints_sent": told.sent,
        "hints_failed": told.failed,
        "hints_dropped": told.dropped,
    }
    kind = "worker" if node is None else "node"
    gauges = {
        _series("processes", kind): 1.0,
        "hints_waiting": float(told.queued),
        **{_series("breaker_state", name): _BREAKER[one.state] for name, one in breakers().items()},
    }
    if node is not None:
        health = node.hub.layer
        counts["layer_turns"] = health.turns
        counts["layer_rebuilds"] = health.rebuilds
        counts["layer_unannounced"] = health.unannounced
        gauges |= _of_node(node)
    return Numbers(counts, gauges)


def _of_node(node: "Node") -> dict[str, float]:
    lagging, waiting = _waiting(node.waiting)
    gauges = {
        "connections": float(len(node.connections)),
        "connections_lagging": float(lagging),
        "queue_bytes": float(waiting),
        "streams": float(len(node.hub.streams)),
        "layer_polling": float(node.hub.layer.polling),
    }
    if (round_trip_ms := node.hub.watch.round_trip_ms) is not None:
        gauges["layer_round_trip_seconds"] = round_trip_ms / 1000
    return gauges


def _waiting(sockets: "Iterable[Connection]") -> tuple[int, int]:
    """How many lag, and the bytes that wait for them all."""
    lagging = waiting = 0
    for socket in sockets:
        if buffered := socket.writer.buffered:
            waiting += buffered
            lagging += not socket.writer.writable and not socket.writer.closed
    return lagging, waiting


def _series(name: str, label: str) -> str:
    return f"{name}{SEPARATOR}{label}"
