"""This process as a node: its hub, its sockets, and the tasks that go round.

Servers with a lifespan start the node at startup; under Daphne, which has none, it starts with the
first use. One node per event loop.
"""

import asyncio
import logging
import uuid
from contextlib import suppress
from typing import TYPE_CHECKING

from realtime.hub.hub import Hub
from realtime.presence.presence import Presence
from realtime.presence.store import PresenceStore
from realtime.protocol.errors import RealtimeError
from realtime.shared.store import shared_store
from realtime.sockets.sweep import registered_sweeps

if TYPE_CHECKING:
    from realtime.sockets.connection import Connection

SWEEP_EVERY_S = 1.0

logger = logging.getLogger(__name__)


class Node:
    """`connections` are the open sockets of this process; `draining` once a stop was announced."""

    def __init__(self) -> None:
        self.id = uuid.uuid4().hex[:12]
        self.loop = asyncio.get_running_loop()
        self.hub = Hub()
        self.shared = shared_store()
        store = PresenceStore(self.shared) if self.shared is not None else None
        self.presence = Presence(self.hub, store)
        self.connections: set[Connection] = set()
        self.draining = False
        self._empty = asyncio.Event()

    def start(self) -> None:
        self.hub.start()
        self.hub.spawn(self._sweep_connections())
        self.hub.spawn(self._run_sweeps())
        self.hub.spawn(self.presence.run())

    def remove(self, connection: "Connection") -> None:
        self.connections.discard(connection)
        if not self.connections:
            self._empty.set()

    async def emptied(self, timeout_s: float) -> None:
        """Wait until no socket is open, at most that long."""
        self._empty.clear()
        if self.connections:
            with suppress(TimeoutError):
                async with asyncio.timeout(timeout_s):
                    await self._empty.wait()

    async def stop(self) -> None:
        """End the tasks; what registered sweeps have gathered is written first."""
        await self._sweep_once()
        await self.presence.close()
        await self.hub.stop()
        if self.shared is not None:
            await self.shared.close()

    async def _sweep_connections(self) -> None:
        """No socket has timers of its own: heartbeats and expiry of all of them are found here."""
        while True:
            await asyncio.sleep(SWEEP_EVERY_S)
            now = self.loop.time()
            for connection in list(self.connections):
                connection.sweep(now)

    async def _run_sweeps(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_EVERY_S)
            await self._sweep_once()

    async def _sweep_once(self) -> None:
        for sweep in registered_sweeps():
            try:
                await sweep()
            except RealtimeError as error:
                logger.warning("put off: %s", error.message)
            except Exception:
                logger.exception("a sweep failed")


_node: Node | None = None


async def current_node() -> Node:
    """The node of the running loop, started if need be."""
    global _node
    if _node is None or _node.loop is not asyncio.get_running_loop():
        _node = Node()
        _node.start()
    return _node


def running_node() -> Node | None:
    """The node of the running loop, None where there is none."""
    return _node if _node is not None and _node.loop is asyncio.get_running_loop() else None


async def stop_node() -> None:
    global _node
    node = running_node()
    if node is not None:
        _node = None
        await node.stop()
