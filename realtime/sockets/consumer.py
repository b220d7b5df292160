"""The Channels consumer of every WebSocket route.

It has no channel of its own: the process's relay receives for all sockets, so a message costs one
decode per process and not one task per socket. Cleaning up stands in `finally`, because Channels
skips `disconnect()` when a handler or a send raises.
"""

import logging
import random
from collections.abc import Awaitable, Callable
from typing import Any

from channels.consumer import AsyncConsumer
from django.utils import timezone
from pydantic_core import to_json

from realtime.conf import options
from realtime.node import Node, current_node
from realtime.protocol.codes import CloseCode
from realtime.protocol.errors import RealtimeError
from realtime.protocol.payloads.shape import wire_time
from realtime.security.identity import Authenticated
from realtime.server.wire import PREPARED_FRAMES, Wire
from realtime.sockets.connection import Connection
from realtime.sockets.handshake import (
    SUBPROTOCOL,
    Refusal,
    authenticate,
    check_origin,
    offered_subprotocol,
    overloaded,
    refusal_after,
)
from realtime.sockets.paths import implied_subscription
from realtime.sockets.prepared import PreparedWriter
from realtime.sockets.writer import AsgiWriter, close_message

logger = logging.getLogger(__name__)

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
DRAINING_DELAY_MS = (100, 2_000)


class RealtimeConsumer(AsyncConsumer):  # type: ignore[misc]
    """One socket, any number of streams."""

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        if (await receive())["type"] != "websocket.connect":
            return
        node = await current_node()
        client = (scope.get("client") or ["?"])[0]
        # Accepted whoever it is, so that a browser can see why it is closed again. Where the socket
        # is handed over that comes last, and leaves in one write with the greeting; other servers
        # (Daphne) give up a handshake that waits for the database.
        accept = {"type": "websocket.accept", "subprotocol": offered_subprotocol(scope)}
        hands_over = PREPARED_FRAMES in scope.get("extensions", ())
        if not hands_over:
            await send(accept)
        try:
            async with node.door:
                authenticated = await self._admit(scope, node)
        except Refusal as refusal:
            node.refused += refusal.code is CloseCode.OVERLOADED
            logger.info("refused from=%s code=%d why=%s", client, refusal.code, refusal.reason)
            if hands_over:
                await send(accept)
            await send(close_message(refusal.code, refusal.reason))
            return
        if hands_over:
            await send(accept)
        wire = _handed_over(scope)
        writer = AsgiWriter(send) if wire is None else PreparedWriter(wire)
        connection = Connection(authenticated, node.hub, writer)
        node.connections.add(connection)
        logger.info(
            "opened connection=%s user=%d from=%s", connection.id, connection.user_id, client
        )
        if wire is None:
            await self._serve(connection, authenticated, node, scope, receive)
            return
        try:
            await self._begin(connection, authenticated, node, scope)
        except BaseException:
            connection.close(CloseCode.INTERNAL, "a fault of ours")
            raise
        finally:
            wire.start(connection)  # and it is the wire that says when it is over

    async def _serve(
        self,
        connection: Connection,
        authenticated: Authenticated,
        node: Node,
        scope: dict[str, Any],
        receive: Receive,
    ) -> None:
        """Where nothing can be handed over: this call lasts as long as the socket."""
        code: int | None = None
        try:
            await self._begin(connection, authenticated, node, scope)
            code = await self._read(connection, receive)
        finally:
            connection.disconnected(code)
            await connection.finish()

    async def _begin(
        self,
        connection: Connection,
        authenticated: Authenticated,
        node: Node,
        scope: dict[str, Any],
    ) -> None:
        try:
            await self._greet(connection, authenticated, node)
            await self._subscribe_by_path(connection, scope)
        except RealtimeError as error:
            why = refusal_after(error)
            connection.close(why.code, why.reason)

    async def _admit(self, scope: dict[str, Any], node: Node) -> Authenticated:
        """Raises Refusal."""
        if not options().websocket_enabled:
            raise Refusal(CloseCode.FORBIDDEN, "WebSockets are switched off on this server")
        self._check_room(node)
        check_origin(scope)
        authenticated = await authenticate(scope, node)
        self._check_room(node)  # again: of a crowd at the door all saw the same room before
        return authenticated

    def _check_room(self, node: Node) -> None:
        """Raises Refusal."""
        if len(node.connections) >= options().websocket_max_connections:
            raise overloaded()

    async def _greet(
        self, connection: Connection, authenticated: Authenticated, node: Node
    ) -> None:
        """`authentication_success`, first of all frames; a draining node says so and closes."""
        identity = authenticated.identity
        # The shape `ConnectionOpened`, which a test compares: a model made and dumped for each
        # socket cost four times as much.
        data = {
            "connection": connection.id,
            "user": {"id": identity.user_id, "name": connection.identity.name},
            "server_time": wire_time(timezone.now()),
            "heartbeat_s": options().websocket_heartbeat_interval,
            "expires_at": wire_time(identity.expires_at) if identity.expires_at else None,
            "protocol": SUBPROTOCOL,
        }
        connection.writer.reply_nowait(to_json({"type": "authentication_success", "data": data}))
        await connection.adopt(authenticated)
        if node.draining and not connection.leaving:  # else the drain has met it and closes it
            connection.announce_shutdown(random.randint(*DRAINING_DELAY_MS))
            connection.close(CloseCode.SERVER_RESTART, "server restart")

    async def _subscribe_by_path(self, connection: Connection, scope: dict[str, Any]) -> None:
        """Raises BadRequest, and what the subscription was refused with."""
        command = implied_subscription(scope)
        if command is not None and not connection.writer.closed:
            await connection.run_first(command)

    async def _read(self, connection: Connection, receive: Receive) -> int | None:
        """Until the peer is gone; a read never waits for a command. Returns the close code."""
        limit = options().websocket_max_message_bytes
        while True:
            message = await receive()
            if message["type"] == "websocket.disconnect":
                code: int | None = message.get("code")
                return code
            text = message.get("text")
            if text is None:
                connection.binary_received(message["bytes"])
            elif len(text) > limit or (len(text) * 4 > limit and len(text.encode()) > limit):
                connection.close(CloseCode.TOO_LARGE, f"expected at most {limit} bytes")
            else:
                connection.text_received(text)


def _handed_over(scope: dict[str, Any]) -> Wire | None:
    """The socket itself, where the server offers it and it is still open."""
    offered = scope.get("extensions", {}).get(PREPARED_FRAMES)
    wire: Wire | None = offered["hand_over"]() if offered is not None else None
    return wire
