"""Routes of sockets, and the subscription that a path implies."""

from typing import Any
from urllib.parse import parse_qs

from django.urls import re_path

from realtime.protocol.positions import Position
from realtime.protocol.streams import STATUS_STREAM, project_stream


def implied_subscription(scope: dict[str, Any]) -> dict[str, Any] | None:
    """The `subscribe` command of `/ws/projects/<id>` and `/ws/status`; None for `/ws`.

    Raises BadRequest for a `since` that is no position.
    """
    arguments = scope.get("url_route", {}).get("kwargs", {})
    if "project" in arguments:
        stream = project_stream(int(arguments["project"]))
    elif "status" in arguments:
        stream = STATUS_STREAM
    else:
        return None
    query = parse_qs(scope.get("query_string", b"").decode("latin-1"))
    command: dict[str, Any] = {"cmd": "subscribe", "stream": stream}
    if "since" in query:
        position = Position.parse(query["since"][0])
        command["since"] = {"epoch": position.epoch, "seq": position.seq}
    if query.get("snapshot") == ["1"]:
        command["snapshot"] = True
    return command


def websocket_urlpatterns() -> list[Any]:
    """Patterns for Channels' URLRouter."""
    from realtime.sockets.consumer import RealtimeConsumer

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
        await send({"type": "websocket.close", "code": 4403, "reason": "no such WebSocket path"})
