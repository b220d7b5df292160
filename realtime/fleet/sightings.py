"""Live connections as their node sees them: who, from where, since when, on what, how far on.

`sighted` runs in the node's loop; what it gives is JSON values, because another node may ask.
`Sighting` is the same for readers.
"""

import heapq
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Self

if TYPE_CHECKING:
    from realtime.node import Node
    from realtime.sockets.connection import Connection

MAX_SIGHTED = 200
STREAMS_SHOWN = 20  # of one connection; the rest is counted

Order = Literal["newest", "behind", "buffered"]


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which connections, and which of them first."""

    user_id: int | None = None
    node: str | None = None
    order: Order = "newest"
    limit: int = MAX_SIGHTED

    def as_arguments(self) -> dict[str, Any]:
        return {"user_id": self.user_id, "order": self.order, "limit": self.limit}


@dataclass(frozen=True, slots=True)
class Followed:
    """A stream that the connection follows; `lag` are the events that it has yet to be sent."""

    name: str
    state: str
    lag: int


@dataclass(frozen=True, slots=True)
class Sighting:
    """One connection. `lag`: of all its streams; `buffered`: bytes that wait for its peer."""

    id: str
    node: str
    user_id: int
    address: str
    open_s: float
    credential: str
    streams: tuple[Followed, ...]
    streams_more: int
    lag: int
    buffered: int

    @classmethod
    def of(cls, node: str, told: dict[str, Any]) -> Self:
        streams = tuple(Followed(*one) for one in told["streams"])
        return cls(node=node, **{**told, "streams": streams})


def sighted(node: "Node", *, user_id: int | None, order: Order, limit: int) -> dict[str, Any]:
    """`total`: all connections of the node; `matching`: those of the person; `connections`: the
    first of these."""
    matching = [one for one in node.connections if user_id is None or one.user_id == user_id]
    key = {"newest": _age, "behind": _lag, "buffered": _buffered}[order]
    first = heapq.nlargest(min(limit, MAX_SIGHTED), matching, key=key)
    now = node.loop.time()
    return {
        "total": len(node.connections),
        "matching": len(matching),
        "connections": [_told(connection, now) for connection in first],
    }


def sighted_one(node: "Node", *, connection: str) -> dict[str, Any] | None:
    """That connection, None where it is not here."""
    for one in node.connections:
        if one.id == connection:
            return _told(one, node.loop.time())
    return None


def in_order(sightings: Iterable[Sighting], wanted: Wanted) -> list[Sighting]:
    """Of all nodes together, the first ones."""
    keys: dict[str, Any] = {
        "newest": lambda one: (one.open_s, one.id),
        "behind": lambda one: (-one.lag, one.open_s, one.id),
        "buffered": lambda one: (-one.buffered, one.open_s, one.id),
    }
    return sorted(sightings, key=keys[wanted.order])[: wanted.limit]


def _age(connection: "Connection") -> float:
    return connection.opened_at


def _buffered(connection: "Connection") -> int:
    return connection.writer.buffered


def _lag(connection: "Connection") -> int:
    return sum(one.stream.last - one.cursor for one in list(connection.subscriptions.values()))


def _told(connection: "Connection", now: float) -> dict[str, Any]:
    followed = list(connection.subscriptions.values())
    shown = sorted(followed, key=lambda one: one.cursor - one.stream.last)[:STREAMS_SHOWN]
    return {
        "id": connection.id,
        "user_id": connection.user_id,
        "address": connection.address,
        "open_s": now - connection.opened_at,
        "credential": connection.credential.partition(".")[0],
        "streams": [
            [one.stream.name, one.state.name.lower(), max(0, one.stream.last - one.cursor)]
            for one in shown
        ],
        "streams_more": len(followed) - len(shown),
        "lag": max(0, _lag(connection)),
        "buffered": connection.writer.buffered,
    }
