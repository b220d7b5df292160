"""Operators' pages hear when connections come and go: once a second and node at most."""

from realtime.log.signalling import signal
from realtime.node import running_node
from realtime.protocol.streams import STATUS_STREAM

_told: dict[str, int] = {}  # of the process's one node


async def tell_changes() -> None:
    """A sweep. `metrics_update` on `status`: how many connections this node has now."""
    node = running_node()
    if node is None:
        return
    if _told.get(node.id, 0) == node.turnover:
        return
    _told.clear()
    _told[node.id] = node.turnover
    values = {node.id: float(len(node.connections))}
    signal(STATUS_STREAM, "metrics_update", {"part": "connections", "values": values}, after=0)
