"""The Channels consumer of every WebSocket route.

It has no channel of its own: the process's relay receives for all sockets, so a message costs one
decode per process and not one task per socket. Cleaning up stands in `finally`, because Channels
skips `disconnect()` when a handler or a send raises.
"""

import logging
import random
import sys
from collections.abc import Awaitable, Callable
from typing import Any

from channels.consumer import AsyncConsumer
from pydantic_core import to_json

from realtime.audit.recording import record_nowait
from realtime.conf import options
from realtime.metrics.core import CONNECTS, REFUSED, code_label
from realtime.node import Node, current_node
from realtime.protocol.codes import CloseCode
from realtime.protocol.errors import RealtimeError
from realtime.protocol.frames import reply_frame
from realtime.server.wire import PREPARED_FRAMES, Wire
from realtime.sockets.connection import Connection
from realtime.sockets.greeting import greeting
from realtime.sockets.handshake import (
    Refusal,
    authenticate,
    check_address,
    check_known_address,
    check_origin,
    excess,
    offered_subprotocol,
    overloaded,
    refusal_after,
)
from realtime.sockets.introduction import Introduction, introduced
from realtime.sockets.paths import implied_subscription
from realtime.sockets.prepared import PreparedWriter
from realtime.sockets.writer import AsgiWriter, close_message

logger = logging.getLogger(__name__)

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
DRAINING_DELAY_MS = (100, 2_000)


class Acceptance:
    """Accepted whoever it is, so that a browser can see why it is closed again: once."""

    def __init__(self, scope: dict[str, Any], send: Send) -> None:
        self._message = {"type": "websocket.accept", "subprotocol": offered_subprotocol(scope)}
        self._send = send
        self._sent = False

    async def __call__(self) -> None:
        if not self._sent:
            self._sent = True
            await self._send(self._message)


class RealtimeConsumer(AsyncConsumer):  # type: ignore[misc]
    """One socket, any number of streams."""

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        if (await receive())["type"] != "websocket.connect":
            return
        node = await current_node()
        client = (scope.get("client") or ["?"])[0]
        accept = Acceptance(scope, send)
        # Where the socket is handed over the acceptance comes last, and leaves in one write with
        # the greeting; other servers (Daphne) give up a handshake that waits for the database.
        if PREPARED_FRAMES not in scope.get("extensions", ()):
            await accept()
        try:
            introduction = await self._admit(scope, node)
            if introduction is None:
                await accept()
                introduction = await introduced(receive, send, node, client)
            if introduction is None:
                return
            self._check_room(node)  # again: of a crowd at the door all saw the same room before
            check_known_address(client)  # likewise: a ban may have found it at the door
        except Refusal as refusal:
            REFUSED.add(code_label(refusal.code))
            node.refused += refusal.code is CloseCode.OVERLOADED
            logger.info("refused from=%s code=%d why=%s", client, refusal.code, refusal.reason)
            _note_refused(refusal, scope, client, refusal.user_id)
            await accept()
            await send(close_message(refusal.code, refusal.reason))
            return
        await accept()
        wire = _handed_over(scope)
        writer = AsgiWriter(send) if wire is None else PreparedWriter(wire)
        connection = Connection(introduction.authenticated, node.hub, writer)
        connection.address = sys.intern(client)  # many come through one proxy
        node.add(connection)
        CONNECTS.total += 1
        logger.info(
            "opened connection=%s user=%d from=%s", connection.id, connection.user_id, client
        )
        if wire is None:
            await self._serve(connection, introduction, node, scope, receive)
            return
        try:
            await self._begin(connection, introduction, node, scope)
        except BaseException:
            connection.close(CloseCode.INTERNAL, "a fault of ours")
            raise
        finally:
            wire.start(connection)  # and it is the wire that says when it is over

    async def _serve(
        self,
        connection: Connection,
        introduction: Introduction,
        node: Node,
        scope: dict[str, Any],
        receive: Receive,
    ) -> None:
        """Where nothing can be handed over: this call lasts as long as the socket."""
        code: int | None = None
        try:
            await self._begin(connection, introduction, node, scope)
            code = await self._read(connection, receive)
        finally:
            connection.disconnected(code)
            await connection.finish()

    async def _begin(
        self,
        connection: Connection,
        introduction: Introduction,
        node: Node,
        scope: dict[str, Any],
    ) -> None:
        try:
            await self._greet(connection, introduction, node)
            await self._subscribe_by_path(connection, scope)
        except RealtimeError as error:
            why = refusal_after(error)
            client = (scope.get("client") or ["?"])[0]
            _note_refused(why, scope, client, connection.user_id)
            connection.close(why.code, why.reason)

    async def _admit(self, scope: dict[str, Any], node: Node) -> Introduction | None:
        """None: it has still to say who it is. Raises Refusal."""
        if not options().websocket_enabled:
            raise Refusal(CloseCode.FORBIDDEN, "WebSockets are switched off on this server")
        await check_address((scope.get("client") or [None])[0])
        async with node.door:
            self._check_room(node)
            check_origin(scope)
            authenticated = await authenticate(scope, node)
        return None if authenticated is None else Introduction(authenticated)

    def _check_room(self, node: Node) -> None:
        """Raises Refusal."""
        if len(node.connections) + len(node.newcomers) >= options().websocket_max_connections:
            raise overloaded()

    async def _greet(self, connection: Connection, introduction: Introduction, node: Node) -> None:
        """`authentication_success`, first of all frames; a draining node says so and closes."""
        data = greeting(connection)
        connection.writer.reply_nowait(to_json({"type": "authentication_success", "data": data}))
        if introduction.command is not None:
            connection.writer.reply_nowait(reply_frame(introduction.command, data))
        await connection.adopt(introduction.authenticated)
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
        while True:
            message = await receive()
            if message["type"] == "websocket.disconnect":
                code: int | None = message.get("code")
                return code
            text = message.get("text")
            if text is None:
                connection.binary_received(message["bytes"])
            elif (reason := excess(text)) is not None:
                connection.close(CloseCode.TOO_LARGE, reason)
            else:
                connection.text_received(text)


def _note_refused(
    refusal: Refusal, scope: dict[str, Any], client: str, user_id: int | None = None
) -> None:
    """44xx for the audit log; 45xx says nothing about the client."""
    if refusal.code < CloseCode.INTERNAL:
        record_nowait(
            "connection_refused",
            actor=user_id,
            target=scope["path"],
            result=str(int(refusal.code)),
            address=client,
            details={"reason": refusal.reason},
        )


def _handed_over(scope: dict[str, Any]) -> Wire | None:
    """The socket itself, where the server offers it and it is still open."""
    offered = scope.get("extensions", {}).get(PREPARED_FRAMES)
    wire: Wire | None = offered["hand_over"]() if offered is not None else None
    return wire
