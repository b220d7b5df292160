"""python-socketio as its documentation has it: an AsyncServer with the Redis manager, as ASGI."""

import os
from typing import Any

import socketio

manager = socketio.AsyncRedisManager(os.environ["PEER_REDIS_URL"])
server = socketio.AsyncServer(async_mode="asgi", client_manager=manager, transports=["websocket"])
application = socketio.ASGIApp(server)


@server.event  # type: ignore[untyped-decorator]
async def join(sid: str, room: int) -> None:
    await server.enter_room(sid, str(room))


@server.event  # type: ignore[untyped-decorator]
async def publish(sid: str, message: dict[str, Any]) -> None:
    await server.emit("message", {"body": message["body"]}, room=str(message["room"]))
