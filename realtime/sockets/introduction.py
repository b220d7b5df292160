"""`authenticate` as the first command of a socket that came without credentials.

The socket stays with its server until it has said who it is: what is made for a person, and the
hand-over, come after that.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from realtime.protocol.codes import CloseCode
from realtime.protocol.errors import BadRequest, NotFound, RealtimeError, Unauthorized
from realtime.protocol.frames import error_frame, parsed_object
from realtime.protocol.validation import shown, validated
from realtime.security.identity import Authenticated
from realtime.sockets.basics import Authenticate
from realtime.sockets.connection import command_id
from realtime.sockets.handshake import (
    Refusal,
    by_ticket,
    crowded,
    excess,
    overloaded,
    refusal_after,
    refusal_of_credentials,
)

if TYPE_CHECKING:
    from realtime.node import Node

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


class Introduction(NamedTuple):
    """Who came, and the id of the command that told it, which is still to be answered."""

    authenticated: Authenticated
    command: int | None = None


async def introduced(
    receive: Receive, send: Send, node: "Node", address: str
) -> Introduction | None:
    """Wait for the first message of an accepted socket; None where the peer has gone instead.

    Raises Refusal; a refused command was answered then.
    """
    if node.newcomers.full:
        raise overloaded()
    if node.newcomers.has_many_of(address):
        raise crowded()
    try:
        async with asyncio.timeout(None) as patience:
            with node.newcomers.counted(patience, node.loop.time(), address):
                message = await receive()
    except TimeoutError as error:
        raise Refusal(CloseCode.UNAUTHORIZED, "expected authenticate in time, got none") from error
    if message["type"] != "websocket.receive":
        return None
    number: int | None = None
    try:
        command = parsed_object(_text(message))
        number = command_id(command)
        if command.get("cmd") != "authenticate":
            raise Unauthorized(f"cmd: expected authenticate first, got {shown(command.get('cmd'))}")
        ticket = validated(Authenticate, command).ticket
        async with node.door:
            return Introduction(await by_ticket(ticket, node), number)
    except RealtimeError as error:
        await send({"type": "websocket.send", "text": error_frame(number, error).decode()})
        if isinstance(error, Unauthorized | NotFound):
            raise refusal_of_credentials(error) from error
        raise refusal_after(error) from error


def _text(message: dict[str, Any]) -> str:
    """Raises BadRequest, and Refusal for more than any command may have."""
    text: str | None = message.get("text")
    if text is None:
        raise BadRequest("expected a text frame, got a binary one")
    if (reason := excess(text)) is not None:
        raise Refusal(CloseCode.TOO_LARGE, reason)
    return text
