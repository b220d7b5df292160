"""How fast sockets come: upgrade, authentication and joining, and what that costs the server.

Parameters: `sockets`, `rooms`, and `at_once`, the connects under way at a time.
"""

from collections.abc import Mapping
from typing import Any

from bench.measures.stage import CONNECT_LIMIT_S, Stage, settle, times


def connects(stage: Stage, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """All connect at once as far as `at_once` lets them."""
    sockets, rooms = parameters["sockets"], parameters.get("rooms", 1)
    stage.clear()
    stage.seat_readers(min(50, sockets), rooms)  # what a server loads at its first socket
    stage.clear()
    stage.describe_readers(sockets, rooms)
    cpu_s = stage.server.cpu_s()
    answer = stage.readers.connect(parameters["at_once"], CONNECT_LIMIT_S)
    cpu_s = stage.server.cpu_s() - cpu_s
    settle(stage.server)
    return {
        "connects_per_s": round(answer["joined"] / max(answer["connect_s"], 1e-9), 1),
        "cpu_ms_per_connect": round(cpu_s / max(1, answer["joined"]) * 1000, 4),
        **times(answer, "connect"),
        "joined": answer["joined"],
        "failed": sockets - answer["joined"],
    }
