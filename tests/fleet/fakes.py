"""A node without a server: what a member of the fleet asks of it, and sockets that only close."""

import asyncio
import uuid
from typing import TYPE_CHECKING, Any, cast

from realtime.fleet.member import FleetMember
from realtime.protocol.codes import CloseCode
from realtime.shared.store import SharedStore

if TYPE_CHECKING:
    from realtime.node import Node


class FakeWriter:
    closed = False
    buffered = 0


class FakeConnection:
    """Has an id, a person and an age, and notes how it was closed."""

    def __init__(self, user_id: int, opened_at: float) -> None:
        self.id = uuid.uuid4().hex
        self.user_id = user_id
        self.opened_at = opened_at
        self.writer = FakeWriter()
        self.closes: list[tuple[CloseCode, str]] = []
        self.subscriptions: dict[str, Any] = {}
        self.address = "192.0.2.1"
        self.credential = "session.abc"
        self.stalled_s = 0.0

    def abandon_stalled(self, limit_s: float) -> bool:
        stalled = not self.writer.closed and self.stalled_s >= limit_s
        self.writer.closed |= stalled
        return stalled

    def close(self, code: CloseCode, reason: str) -> None:
        self.writer.closed = True
        self.closes.append((code, reason))


class FakeNode:
    """The parts of `realtime.node.Node` that its member looks at."""

    def __init__(self, name: str = "") -> None:
        self.id = name or uuid.uuid4().hex[:12]
        self.loop = asyncio.get_running_loop()
        self.connections: set[Any] = set()
        self.turnover = 0
        self.draining = False
        self.shared: SharedStore | None = None
        self.fleet: FleetMember = self.member(None)

    def open(self, user_id: int, age_s: float = 0.0) -> FakeConnection:
        connection = FakeConnection(user_id, self.loop.time() - age_s)
        self.connections.add(connection)
        self.turnover += 1
        return connection

    def remove(self, connection: FakeConnection) -> None:
        self.connections.discard(connection)
        self.turnover += 1

    def member(self, store: SharedStore | None) -> FleetMember:
        return FleetMember(cast("Node", self), store)
