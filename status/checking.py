"""A look at everything, now, because somebody asked. Synchronous, for requests."""

import asyncio
from typing import Any

from realtime.log.signalling import signal
from realtime.node import process_node
from realtime.protocol.errors import Unavailable
from realtime.protocol.streams import STATUS_STREAM
from status.running import process_monitor

LIMIT_S = 12.0  # above the longest limit of a look


def check_now() -> dict[str, Any]:
    """Have this node look at its parts, and at the system's where it holds the board; the health
    as of then, which everybody who follows `status` hears as `health_check`.

    What others look at is as they found it last. Raises Unavailable.
    """
    node, monitor = process_node(), process_monitor()
    if node is None or monitor is None:
        raise Unavailable("STATUS_MONITOR: expected this process to look at itself, got none")
    asked = asyncio.run_coroutine_threadsafe(monitor.check(), node.loop)
    try:
        health = asked.result(LIMIT_S)
    except TimeoutError as error:
        asked.cancel()
        raise Unavailable(f"expected a look within {LIMIT_S:g} s, got none") from error
    signal(STATUS_STREAM, "health_check", health, after=0)
    return health
