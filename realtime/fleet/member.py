"""This node in the fleet: its lease kept, its sockets listed, its orders carried out.

Everything is done by the node's own task, a second behind at most: nothing here is on the path of
a command, and no socket waits for Redis. While Redis is away the list is out of date; when it is
back, it is written anew.
"""

import asyncio
import logging
from typing import TYPE_CHECKING, Any

from realtime.fleet.lease import BATCH, Lease, Opened, Order, Renewal
from realtime.fleet.records import RENEW_EVERY_S, NodeState
from realtime.protocol.codes import CloseCode
from realtime.protocol.errors import Unavailable
from realtime.shared.store import SharedStore

if TYPE_CHECKING:
    from realtime.node import Node
    from realtime.sockets.connection import Connection

CLOSE_MESSAGE = "realtime.close"  # the only message type of a node's own group
LOOK_EVERY_S = 1.0

logger = logging.getLogger(__name__)


def node_group(node_id: str) -> str:
    """The channel-layer group that only this node is in."""
    return f"node.{node_id}"


class FleetMember:
    """Made by the node, whose sockets it lists; without a store it only carries out messages."""

    def __init__(self, node: "Node", store: SharedStore | None) -> None:
        self._node = node
        self._lease = Lease(store, node.id) if store is not None else None
        self._listed: dict[str, None] = {}  # as a set, which takes more than twice as much
        self._anew = True
        self._turnover = -1  # of the node, when it was last compared with what is listed
        self._state = NodeState.SERVING
        self._started = node.loop.time()
        self._renew_at = 0.0
        self._away = False

    async def run(self) -> None:
        """The member's task; it ends with the node."""
        while True:
            try:
                await self.look()
            except Exception:
                # A named top-level loop: if it ended, the node would seem dead.
                logger.exception("the fleet was not told")
            await asyncio.sleep(LOOK_EVERY_S)

    async def look(self) -> None:
        """Write what changed; renew when that is due. Without Redis: try again next time."""
        now = self._node.loop.time()
        state = NodeState.DRAINING if self._node.draining else NodeState.SERVING
        turnover = self._node.turnover
        changed = state is not self._state or turnover != self._turnover
        if self._lease is None or not (changed or self._anew or now >= self._renew_at):
            return
        current = {connection.id: connection for connection in list(self._node.connections)}
        try:
            await self._write(self._lease, state, current)
        except Unavailable as error:
            # Whether the call was carried out is unknown, and so is what is listed now.
            self._anew = True
            self._say(error)
            return
        self._state, self._turnover = state, turnover
        self._renew_at = now + RENEW_EVERY_S
        self._away = False

    async def _write(
        self, lease: Lease, state: NodeState, current: dict[str, "Connection"]
    ) -> None:
        if self._anew:
            self._listed = {}
        gone = list(self._listed.keys() - current.keys())
        opened = [current[found] for found in current.keys() - self._listed.keys()]
        while True:
            renewal = await lease.renew(
                state=state,
                connections=len(current),
                age_s=self._node.loop.time() - self._started,
                anew=self._anew,
                gone=gone[:BATCH],
                opened=[self._opened(connection) for connection in opened[:BATCH]],
            )
            self._anew = False
            for left in gone[:BATCH]:
                self._listed.pop(left, None)
            self._listed.update(dict.fromkeys(connection.id for connection in opened[:BATCH]))
            del gone[:BATCH], opened[:BATCH]
            self._obey(renewal)
            if not gone and not opened:
                # Redis was emptied, or dropped the list for want of memory.
                self._anew = renewal.listed != len(self._listed)
                return

    def _opened(self, connection: "Connection") -> Opened:
        age_s = self._node.loop.time() - connection.opened_at
        return Opened(connection.id, connection.user_id, age_s)

    def _obey(self, renewal: Renewal) -> None:
        for order in renewal.orders:
            self.close(order)

    def _say(self, error: Unavailable) -> None:
        """One line when Redis stops answering, not one a second."""
        if not self._away:
            logger.warning("fleet registry away: %s", error.message)
        self._away = True

    def on_message(self, message: dict[str, Any]) -> None:
        """A message of this node's group; the order stands in Redis too, for when this is lost."""
        self.close(Order(str(message["connection"]), str(message["reason"])))

    def close(self, order: Order) -> bool:
        """Close the socket if it is here; False when it is not, or is closing already."""
        for connection in self._node.connections:
            if connection.id == order.connection_id and not connection.writer.closed:
                connection.close(CloseCode.REVOKED, order.reason)
                return True
        return False

    def list_anew(self) -> None:
        """Have the registry's list of this node written afresh, whatever stands there."""
        self._anew = True

    async def leave(self) -> None:
        """The last act of a planned stop. Without Redis the lease just runs out."""
        if self._lease is not None:
            try:
                await self._lease.give_up()
            except Unavailable as error:
                self._say(error)
