"""Commands about the connection itself."""

from typing import TYPE_CHECKING, Any

from django.utils import timezone

from realtime.database import in_database
from realtime.node import current_node
from realtime.protocol.errors import Forbidden, Unauthorized
from realtime.protocol.payloads.shape import wire_time
from realtime.security.identity import Authenticated, authenticated_by, identity_of_token
from realtime.security.tickets import TICKET_PREFIX
from realtime.sockets.commands import Command, register_command
from realtime.sockets.greeting import greeting
from realtime.sockets.handshake import by_ticket

if TYPE_CHECKING:
    from realtime.sockets.connection import Connection


TOKEN_MAX_CHARS = 256  # session keys have 32 of them, API keys and tickets fewer than 60


class Ping(Command):
    pass


class Authenticate(Command):
    ticket: str


class Refresh(Command):
    token: str


async def ping(connection: "Connection", command: Ping) -> dict[str, Any]:
    return {"ts": wire_time(timezone.now())}


async def authenticate(connection: "Connection", command: Authenticate) -> dict[str, Any]:
    """On a socket that is let in already: go on with the ticket's credentials, of the same user.

    As the first command of one that is not yet, it never comes here: see `introduction`.
    Raises Unauthorized, Forbidden, Unavailable.
    """
    await _go_on(connection, await by_ticket(command.ticket, await current_node()))
    return greeting(connection)


async def refresh(connection: "Connection", command: Refresh) -> dict[str, Any]:
    """Go on with newer credentials of the same user: a session token, an API key or a ticket.

    Raises Unauthorized, Forbidden, Unavailable.
    """
    token = command.token
    # As every other wrong credential, and before a database is asked for what it cannot hold.
    if len(token) > TOKEN_MAX_CHARS or not (token.isascii() and token.isprintable()):
        raise Unauthorized(
            "token: expected a session token, an API key or a ticket, got other text"
        )
    if token.startswith(TICKET_PREFIX):
        authenticated = await by_ticket(token, await current_node())
    else:
        authenticated = await in_database(authenticated_by, identity_of_token, token)
    await _go_on(connection, authenticated)
    identity = authenticated.identity
    return {"expires_at": wire_time(identity.expires_at) if identity.expires_at else None}


async def _go_on(connection: "Connection", authenticated: Authenticated) -> None:
    if authenticated.identity.user_id != connection.user_id:
        raise Forbidden("credentials: expected some of the same user, got another user's")
    await connection.adopt(authenticated)


register_command("ping", Ping, ping)
register_command("authenticate", Authenticate, authenticate)
register_command("refresh", Refresh, refresh)
