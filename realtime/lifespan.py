"""The ASGI lifespan: the node starts before the first request and stops after the last."""

from collections.abc import Awaitable, Callable
from typing import Any

from realtime.node import current_node, stop_node


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
                await send({"type": "lifespan.startup.complete"})
            elif message["type"] == "lifespan.shutdown":
                await stop_node()
                await send({"type": "lifespan.shutdown.complete"})
                return
