"""This process as a node: its hub, its sockets, and the tasks that go round.

Servers with a lifespan start the node at startup; under Daphne, which has none, it starts with the
first use. One node per event loop.
"""

import asyncio
import logging
import random
import uuid
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

from realtime import registry
from realtime.batching import Batcher
from realtime.fleet.asking import ASK_MESSAGE, Answerer
from realtime.fleet.member import CLOSE_MESSAGE, FleetMember, node_group
from realtime.hub.hub import Hub
from realtime.presence.presence import Presence
from realtime.presence.store import PresenceStore
from realtime.protocol.errors import RealtimeError
from realtime.reporting import IncidentReporter
from realtime.security.admission import authenticated_together
from realtime.security.tickets import Tickets
from realtime.shared.slips import LocalSlips, SharedSlips
from realtime.shared.store import shared_store
from realtime.small import SmallSet
from realtime.sockets.newcomers import Newcomers
from realtime.sockets.round import Round
from realtime.sockets.sweep import registered_sweeps
from realtime.trimmer import keep_trimmed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from realtime.sockets.connection import Connection

SWEEP_EVERY_S = 1.0
SWEPT_AT_ONCE = 500  # sockets: events and requests have their turn between
CHANNEL_LAYER = "channel_layer"  # as a part of incidents
# Credentials read together, and how long a crowd of them is gathered.
ADMITTED_TOGETHER = 128
GATHER_ADMISSIONS_S = 0.02
AT_THE_DOOR = 128

logger = logging.getLogger(__name__)


class Node:
    """`connections` are the open sockets of this process, `turnover` tells whether they are still
    the same; `waiting` are those for whose peers something waited when they were last swept;
    `draining` once a stop was announced."""

    def __init__(self) -> None:
        self.id = uuid.uuid4().hex[:12]
        self.loop = asyncio.get_running_loop()
        self.hub = Hub()
        self.reporter = IncidentReporter(self.id)
        self.shared = shared_store()
        self.admissions = Batcher(
            authenticated_together, limit=ADMITTED_TOGETHER, gather_s=GATHER_ADMISSIONS_S
        )
        self.tickets = Tickets(
            LocalSlips() if self.shared is None else SharedSlips(self.shared, "ticket")
        )
        self.newcomers = Newcomers()
        # A crowd enters in step: those inside are served while the others wait, and HTTP has its
        # turn between them.
        self.door = asyncio.Semaphore(AT_THE_DOOR)
        store = PresenceStore(self.shared) if self.shared is not None else None
        self.presence = Presence(self.hub, store)
        self.connections: SmallSet[Connection] = SmallSet()
        self.waiting: Sequence[Connection] = ()
        self.turnover = 0  # sockets that came or went, ever
        self.refused = 0  # sockets above the limit of connections; for status
        self.draining = False
        self.drain_window_s = 0.0
        self.fleet = FleetMember(self, self.shared)
        self._empty = asyncio.Event()
        self._leaving = asyncio.Event()
        self._sweeping = asyncio.Lock()

    def start(self) -> None:
        self.hub.allow(CLOSE_MESSAGE, self.fleet.on_message)
        self.hub.allow(ASK_MESSAGE, Answerer(self, self.shared).on_message)
        self.hub.watch.on_turn = self._layer_turned
        self.hub.watch.on_attempt = partial(self.reporter.attempt, CHANNEL_LAYER)
        self.hub.start()
        self.hub.relay.want(node_group(self.id))
        self.hub.spawn(self.reporter.run())
        self.hub.spawn(self._sweep_connections())
        self.hub.spawn(self._run_sweeps())
        self.hub.spawn(self.fleet.run())
        self.hub.spawn(keep_trimmed())
        self.hub.spawn(self.presence.run())
        for background in registry.backgrounds(self):
            self.hub.spawn(background)

    def _layer_turned(self, polling: bool) -> None:
        if polling:
            self.reporter.down(
                CHANNEL_LAYER,
                code="layer_down",
                text="the channel layer does not deliver; events arrive by polling the log",
                detail={"node": self.id, "reason": self.hub.layer.reason},
            )
        else:
            self.reporter.up(CHANNEL_LAYER, "the channel layer delivers again")

    def add(self, connection: "Connection") -> None:
        self.connections.add(connection)
        self.turnover += 1

    def remove(self, connection: "Connection") -> None:
        self.connections.discard(connection)
        self.turnover += 1
        if not self.connections:
            self._empty.set()

    def begin_drain(self, window_s: float) -> None:
        """A planned stop was announced; whoever waits on this node is to go within the window."""
        self.draining = True
        self.drain_window_s = window_s
        self._leaving.set()

    async def moment_to_leave(self) -> None:
        """Return at the caller's own moment of the drain's window; without a drain, never."""
        await self._leaving.wait()
        await asyncio.sleep(random.uniform(0, self.drain_window_s))

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
        await self.fleet.leave()
        if self.shared is not None:
            await self.shared.close()

    async def _sweep_connections(self) -> None:
        """No socket has timers of its own: heartbeats and expiry of all of them are found here."""
        began = self.loop.time()
        while True:
            await asyncio.sleep(SWEEP_EVERY_S)
            former, began = began, self.loop.time()
            self.newcomers.sweep(began)
            swept, waiting = list(self.connections), []
            for start in range(0, len(swept), SWEPT_AT_ONCE):
                now, positions = self.loop.time(), self.presence.positions
                turn = Round(now, positions, began=began, former=former)
                for connection in swept[start : start + SWEPT_AT_ONCE]:
                    try:
                        connection.sweep(turn)
                    except Exception:
                        # A named top-level loop: one socket must not cost the others theirs.
                        logger.exception("a sweep failed connection=%s", connection.id)
                waiting += turn.waiting
                await asyncio.sleep(0)
            self.waiting = waiting

    async def _run_sweeps(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_EVERY_S)
            await self._sweep_once()

    async def _sweep_once(self) -> None:
        # The last one, of a stop, is behind the one under way: what that holds is written by then.
        async with self._sweeping:
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


def process_node() -> Node | None:
    """The node of this process, for other threads; None in a process that has none, as a command.

    Only its loop may touch it.
    """
    return _node if _node is not None and _node.loop.is_running() else None


async def stop_node() -> None:
    global _node
    node = running_node()
    if node is not None:
        _node = None
        await node.stop()
