"""The ASGI lifespan: the node starts before the first request and stops after the last."""

import gc
from collections.abc import Awaitable, Callable
from typing import Any

from realtime.allocator import allocate_from_one_arena
from realtime.node import current_node, stop_node

GC_THRESHOLDS = (20_000, 20, 50)


class Lifespan:
    async def __call__(
        self,
        scope: dict[str, Any],
        receive: Callable[[], Awaitable[dict[str, Any]]],
        send: Callable[[dict[str, Any]], Awaitable[None]],
    ) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                await current_node()
                _spare_the_collector()
                allocate_from_one_arena()
                await send({"type": "lifespan.startup.complete"})
            elif message["type"] == "lifespan.shutdown":
                await stop_node()
                await send({"type": "lifespan.shutdown.complete"})
                return


def _spare_the_collector() -> None:
    """What was loaded stays for good, and sockets are many small objects that live long: with the
    default thresholds full collections stopped a storm of connections for 0.1 to 0.2 s each."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)
