"""A planned stop: every client is told its own delay, and closed when that is over.

Others than sockets register a step: a worker of jobs hands back what it holds. Steps run beside the
sockets' drain, so that nothing new is begun from the first moment of a stop on.
"""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING

from realtime.node import Node, running_node
from realtime.protocol.codes import CloseCode

if TYPE_CHECKING:
    from realtime.sockets.connection import Connection

# For clients that do not answer the close; a stop has 5 s beyond its window for everything.
CLOSE_WITHIN_S = 2.0
SLICE = 200  # sockets told in one go: the loop serves the others in between

DrainStep = Callable[[float], Awaitable[None]]

_steps: dict[str, DrainStep] = {}

logger = logging.getLogger(__name__)


def register_drain_step(name: str, step: DrainStep) -> None:
    """`step(window_s)` runs in the event loop when a planned stop begins.

    It hands back what this process holds, within the window, and may be cancelled after it. It
    runs again with 0 when the stop is hurried. Its failure is logged and stops nothing.
    """
    _steps[name] = step


async def drain(window_s: float) -> None:
    """Tell everybody, close in step within `window_s`. Returns when all are closed, or 2 s after
    the window at the latest. Run again with 0 (a stop that is hurried) it closes at once.

    The node goes on until the lifespan ends: requests in flight still use it.
    """
    node = running_node()
    sockets = [_drain_sockets(node, window_s)] if node is not None else []
    steps = [_run_step(name, step, window_s) for name, step in _steps.items()]
    await asyncio.gather(*sockets, *steps)


async def _run_step(name: str, step: DrainStep, window_s: float) -> None:
    try:
        async with asyncio.timeout(window_s + CLOSE_WITHIN_S):
            await step(window_s)
    except TimeoutError:
        logger.warning("drain step overran name=%s window_s=%.1f", name, window_s)
    except Exception:
        # A named top-level call: one part that cannot hand back must not keep the others' clients.
        logger.exception("drain step failed name=%s", name)


async def _drain_sockets(node: Node, window_s: float) -> None:
    waiting = list(node.connections)
    if not node.draining:  # once a stop: a hurried one comes here again
        logger.info("draining connections=%d window_s=%.1f", len(waiting), window_s)
    node.begin_drain(window_s)
    random.shuffle(waiting)
    for due, connection in await _announce(waiting, window_s):
        await asyncio.sleep(max(0.0, due - node.loop.time()))
        connection.close(CloseCode.SERVER_RESTART, "server restart")
    await node.emptied(CLOSE_WITHIN_S)


async def _announce(
    waiting: "Sequence[Connection]", window_s: float
) -> "list[tuple[float, Connection]]":
    """Tell each its delay; (loop time, connection) of the closes, the earliest first.

    Each has a part of the window to itself and its moment in there by chance: however many nodes
    stop at once, the reconnects come evenly.
    """
    loop = asyncio.get_running_loop()
    began = loop.time()
    ends = began + window_s
    plan: list[tuple[float, Connection]] = []
    for index, connection in enumerate(waiting):
        if index and index % SLICE == 0:
            await asyncio.sleep(0)
        now = loop.time()
        due = began + window_s * (index + random.random()) / len(waiting)
        # Those told last had the earliest parts pass meanwhile: theirs are laid over the rest.
        due = due if due >= now else random.uniform(now, max(now, ends))
        connection.announce_shutdown(round((due - now) * 1000))
        plan.append((due, connection))
    return sorted(plan, key=lambda pair: pair[0])
