"""A planned stop: every client is told its own delay, and closed when that is over."""

import asyncio
import logging
import random

from realtime.node import running_node, stop_node
from realtime.protocol.codes import CloseCode

CLOSE_WITHIN_S = 5.0

logger = logging.getLogger(__name__)


async def drain(window_s: float) -> None:
    """Announce, close in step within `window_s`, then stop the node. Returns when all are closed,
    or 5 s after the window at the latest."""
    node = running_node()
    if node is None:
        return
    node.draining = True
    loop = asyncio.get_running_loop()
    waiting = list(node.connections)
    logger.info("draining connections=%d window_s=%.1f", len(waiting), window_s)
    started = loop.time()
    delays = sorted(random.uniform(0, window_s) for _ in waiting)
    for connection, delay_s in zip(waiting, delays, strict=True):
        connection.announce_shutdown(round(delay_s * 1000))
    for connection, delay_s in zip(waiting, delays, strict=True):
        await asyncio.sleep(max(0.0, started + delay_s - loop.time()))
        connection.close(CloseCode.SERVER_RESTART, "server restart")
    deadline = loop.time() + CLOSE_WITHIN_S
    await node.emptied(max(0.0, deadline - loop.time()))
    await stop_node()
