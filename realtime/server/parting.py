"""While a process drains, each HTTP answer is the last of its connection.

A kept connection that the end of the process resets under a request leaves its client not knowing
whether the request was carried out. `Connection: close` (RFC 9112, section 9.6) sends it to another
node beforehand. Probes on kept connections see 503 this way, where new ones are refused.
"""

from collections.abc import Callable
from typing import Any, TypeAlias

from realtime.server.state import readiness

App: TypeAlias = Callable[..., Any]
_CLOSE = (b"connection", b"close")


def parting(application: App) -> App:
    """The application, whose HTTP answers say farewell once readiness is off."""

    async def run(scope: Any, receive: Any, send: Any) -> None:
        await application(scope, receive, _farewell(send) if scope["type"] == "http" else send)

    return run


def _farewell(send: Any) -> Any:
    async def sending(message: Any) -> None:
        # Asked when the answer begins: the stop may have begun after the request.
        if message["type"] == "http.response.start" and not readiness.accepting:
            message = {**message, "headers": [*message.get("headers", ()), _CLOSE]}
        await send(message)

    return sending
