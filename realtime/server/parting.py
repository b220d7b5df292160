"""While a process drains, each HTTP answer is the last of its connection.

A kept connection that the end of the process resets under a request leaves its client not knowing
whether the request was carried out. `Connection: close` (RFC 9112, section 9.6) sends it to another
node beforehand. Probes on kept connections see 503 this way, where new ones are refused.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

from realtime.server.state import readiness

Message: TypeAlias = dict[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Any]]
Send: TypeAlias = Callable[[Any], Awaitable[None]]
App: TypeAlias = Callable[..., Awaitable[None]]

_CLOSE = (b"connection", b"close")

logger = logging.getLogger(__name__)


def parting(application: App) -> App:
    """The application, whose HTTP answers say farewell once readiness is off."""

    async def run(scope: Any, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await application(scope, receive, send)
            return
        farewell = Farewell(send)
        try:
            await application(scope, receive, farewell)
        except asyncio.CancelledError:
            if readiness.accepting:
                raise
            # The stop gave this request up. Raised on, uvicorn would log it as a fault of ours.
            logger.warning("request given up path=%s", scope["path"])
            await farewell.give_up()

    return run


class Farewell:
    """The `send` of one request."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._begun = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._begun = True
            if not readiness.accepting:  # asked now: the stop may have begun after the request
                message = {**message, "headers": [*message.get("headers", ()), _CLOSE]}
        await self._send(message)

    async def give_up(self) -> None:
        """Answer 503 while nothing is answered yet; what has begun is cut off."""
        if not self._begun:
            await self({"type": "http.response.start", "status": 503, "headers": []})
            await self._send({"type": "http.response.body", "body": b""})
