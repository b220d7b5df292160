"""The monitor of this process: begun with its node or worker, and found by requests."""

from typing import TYPE_CHECKING

from status.conf import options
from status.monitor import Monitor

if TYPE_CHECKING:
    from realtime.node import Node

_monitor: Monitor | None = None


async def monitoring(node: "Node | None") -> None:
    """The background task of the process; nothing where it is switched off (STATUS_MONITOR)."""
    global _monitor
    if not options().status_monitor:
        return
    monitor = _monitor = Monitor(node)
    try:
        await monitor.run()
    finally:
        if _monitor is monitor:
            _monitor = None


def process_monitor() -> Monitor | None:
    """That of this process, None where it is off. Its loop alone may touch it; only `alone.outage`
    may be read by any thread."""
    return _monitor
