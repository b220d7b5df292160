"""Routes of sockets."""

import sys
from typing import Any

from django.urls import re_path

from realtime.protocol.codes import CloseCode
from realtime.sockets import uvicorn
from realtime.sockets.consumer import RealtimeConsumer
from realtime.sockets.writer import close_message


def websocket_urlpatterns() -> list[Any]:
    """Patterns for Channels' URLRouter; the servers are made to keep the contract on them."""
    if "daphne.server" in sys.modules:  # it has imported itself before the application
        from realtime.sockets import daphne

        daphne.install()
    uvicorn.install()
    application = RealtimeConsumer.as_asgi()
    unknown: Any = UnknownPath()  # an ASGI application, where Django's types expect a view
    return [
        re_path(r"^ws/?$", application),
        re_path(r"^ws/projects/(?P<project>[1-9][0-9]{0,17})/?$", application),
        re_path(r"^ws/(?P<status>status)/?$", application),
        re_path(r"", unknown),
    ]


class UnknownPath:
    """Any other path is refused so that a browser can see it, not by a stack trace in the log."""

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        await send(close_message(CloseCode.FORBIDDEN, "no such WebSocket path"))
