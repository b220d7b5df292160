"""What the registry holds, as its readers see it, and under which keys.

fleet:nodes               sorted set: node id -> end of its lease, ms of Redis' clock
fleet:node:<id>           hash: host, pid, version, state, connections, started
fleet:connections:<id>    hash: connection id -> "<user id>:<opened, ms of Redis' clock>"
fleet:orders:<id>         list of JSON [connection id, reason]: sockets that this node is to close
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Self

from realtime.shared.store import SharedStore

LEASE_S = 15.0
RENEW_EVERY_S = 5.0


class NodeState(StrEnum):
    SERVING = "serving"
    DRAINING = "draining"


@dataclass(frozen=True, slots=True)
class Keys:
    nodes: str
    node: str
    connections: str
    orders: str

    @classmethod
    def of(cls, store: SharedStore, node_id: str) -> Self:
        return cls(
            store.key("fleet", "nodes"),
            store.key("fleet", "node", node_id),
            store.key("fleet", "connections", node_id),
            store.key("fleet", "orders", node_id),
        )


@dataclass(frozen=True, slots=True)
class NodeRecord:
    """A node with a lease in force; `up_s` by the clock of Redis."""

    id: str
    host: str
    pid: int
    version: str
    state: NodeState
    connections: int
    up_s: float


@dataclass(frozen=True, slots=True)
class ConnectionRecord:
    """A socket somewhere in the fleet, a second old at least."""

    id: str
    node: str
    user_id: int
    open_s: float


def node_record(node_id: str, stored: dict[bytes, bytes], now_ms: int) -> NodeRecord | None:
    """From the stored hash; None where it was lost and not yet written again."""
    try:
        return NodeRecord(
            id=node_id,
            host=stored[b"host"].decode(),
            pid=int(stored[b"pid"]),
            version=stored[b"version"].decode(),
            state=NodeState(stored[b"state"].decode()),
            connections=int(stored[b"connections"]),
            up_s=max(0.0, (now_ms - int(stored[b"started"])) / 1000),
        )
    except KeyError:
        return None


def connection_record(
    connection_id: str, node_id: str, stored: bytes, now_ms: int
) -> ConnectionRecord:
    user_id, _, opened_ms = stored.decode().partition(":")
    open_s = max(0.0, (now_ms - int(opened_ms)) / 1000)
    return ConnectionRecord(connection_id, node_id, int(user_id), open_s)
