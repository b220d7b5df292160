"""The subscription that a socket's path implies."""

from typing import Any
from urllib.parse import parse_qs

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
    query = parse_qs(scope.get("query_string", b"").decode("latin-1"), keep_blank_values=True)
    command: dict[str, Any] = {"cmd": "subscribe", "stream": stream}
    if "since" in query:
        position = Position.parse(query["since"][0])
        command["since"] = {"epoch": position.epoch, "seq": position.seq}
    if query.get("snapshot") == ["1"]:
        command["snapshot"] = True
    return command
