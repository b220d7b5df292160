"""Commands about the connection itself."""

from typing import TYPE_CHECKING, Any

from django.utils import timezone

from realtime.database import in_database
from realtime.protocol.errors import Forbidden, Unauthorized
from realtime.protocol.payloads.shape import wire_time
from realtime.security.identity import authenticated_by, identity_of_token
from realtime.sockets.commands import Command, register_command

if TYPE_CHECKING:
    from realtime.sockets.connection import Connection


TOKEN_MAX_CHARS = 256  # session keys have 32 of them, API keys fewer than 60


class Ping(Command):
    pass


class Refresh(Command):
    token: str


async def ping(connection: "Connection", command: Ping) -> dict[str, Any]:
    return {"ts": wire_time(timezone.now())}


async def refresh(connection: "Connection", command: Refresh) -> dict[str, Any]:
    """Go on with newer credentials of the same user. Raises Unauthorized, Forbidden."""
    token = command.token
    # As every other wrong credential, and before a database is asked for what it cannot hold.
    if len(token) > TOKEN_MAX_CHARS or not (token.isascii() and token.isprintable()):
        raise Unauthorized("token: expected a session token or an API key, got other text")
    authenticated = await in_database(authenticated_by, identity_of_token, token)
    identity = authenticated.identity
    if identity.user_id != connection.user_id:
        raise Forbidden("token: expected one of the same user, got another user's")
    await connection.adopt(authenticated)
    return {"expires_at": wire_time(identity.expires_at) if identity.expires_at else None}


register_command("ping", Ping, ping)
register_command("refresh", Refresh, refresh)
