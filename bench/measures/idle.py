"""What sockets cost that only wait: resident memory of the server.

Parameters: `sockets`, `rooms`, `wait_s`.
"""

import time
from collections.abc import Mapping
from typing import Any

from bench.measures.stage import Stage, settle


def idle(stage: Stage, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Memory before and after; a few sockets come and go first, for what is loaded only once."""
    sockets, rooms = parameters["sockets"], parameters.get("rooms", 1)
    stage.seat_readers(10, rooms)
    stage.clear()
    empty_mb = stage.server.rss_mb()
    stage.seat_readers(sockets, rooms)
    settle(stage.server)
    time.sleep(parameters["wait_s"])
    full_mb = stage.server.rss_mb()
    return {
        "rss_empty_mb": round(empty_mb, 1),
        "rss_mb": round(full_mb, 1),
        "kb_per_socket": round((full_mb - empty_mb) * 1024 / sockets, 2),
    }
