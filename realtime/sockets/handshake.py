"""Who may open a socket: the switch, the room, the origin, the credentials, in that order."""

import json
import random
import time
from dataclasses import dataclass, replace
from http.cookies import CookieError, SimpleCookie
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.http.request import split_domain_port, validate_host

from realtime.bans import networks
from realtime.bans.refusing import Banned
from realtime.conf import options
from realtime.database import in_database
from realtime.protocol.codes import CloseCode
from realtime.protocol.errors import (
    BadRequest,
    Internal,
    NotFound,
    RealtimeError,
    Unauthorized,
    Unavailable,
)
from realtime.security.admission import credential_of_header, credential_of_session
from realtime.security.endings import BANNED
from realtime.security.identity import Authenticated, authenticated_again

if TYPE_CHECKING:
    from realtime.log.reading import StreamState
    from realtime.node import Node

SUBPROTOCOL = "pm.v1"
TICKET_SUBPROTOCOL = "pm.ticket."
# A ticket younger than this is as good as credentials that are read now: an ending since then is
# found as one that comes a moment later is.
FRESH_S = 1.0
RETRY_AFTER_MS = (1_000, 5_000)


@dataclass(frozen=True, slots=True)
class Refusal(Exception):
    """The handshake is accepted and closed with this, so that a browser can see why."""

    code: CloseCode
    reason: str
    user_id: int | None = None  # whose account it is about, for the audit log


def overloaded() -> Refusal:
    """Each client its own delay, so that they do not return together."""
    delay_ms = random.randint(*RETRY_AFTER_MS)
    return Refusal(CloseCode.OVERLOADED, json.dumps({"retry_after_ms": delay_ms}))


def crowded() -> Refusal:
    """Too many of one address at the door; likewise."""
    return Refusal(CloseCode.RATE_LIMITED, overloaded().reason)


def refusal_after(error: RealtimeError) -> Refusal:
    """What an error means for a socket that was to begin with what it refused."""
    if isinstance(error, Internal):
        return Refusal(CloseCode.INTERNAL, error.message)
    if error.temporary:
        return overloaded()
    code = CloseCode.BAD_REQUEST if isinstance(error, BadRequest) else CloseCode.FORBIDDEN
    return Refusal(code, error.message[:120])


def refusal_of_credentials(error: RealtimeError) -> Refusal:
    """Who is banned need not come with others."""
    if isinstance(error, Banned):
        return Refusal(CloseCode.FORBIDDEN, error.message[:120], error.user_id)
    return Refusal(CloseCode.UNAUTHORIZED, error.message[:120])


def header(scope: dict[str, Any], name: bytes) -> str | None:
    """The first header of that lower-case name; bytes that are not text become replacements."""
    for key, value in scope["headers"]:
        if key.lower() == name:
            return bytes(value).decode("latin-1")
    return None


async def check_address(address: str | None) -> None:
    """Raises Refusal."""
    try:
        await networks.table.known()
    except Unavailable as error:
        raise overloaded() from error
    check_known_address(address)


def check_known_address(address: str | None) -> None:
    """By what this process knows. Raises Refusal."""
    if networks.table.hold(address):
        raise Refusal(CloseCode.FORBIDDEN, BANNED)


def check_origin(scope: dict[str, Any]) -> None:
    """Scheme, host and port all count (RFC 6454). Raises Refusal."""
    origin = header(scope, b"origin")
    if origin is None:
        if header(scope, b"authorization") is None:
            raise Refusal(CloseCode.FORBIDDEN, "expected an Origin or an Authorization header")
        return
    origin = origin.lower()
    if origin != own_origin(scope) and origin not in options().websocket_cors_origins:
        raise Refusal(CloseCode.FORBIDDEN, f"origin not allowed: {origin[:60]}")


def own_origin(scope: dict[str, Any]) -> str | None:
    """The site's own, None under a name that ALLOWED_HOSTS does not know (DNS rebinding)."""
    scheme = "https" if scope.get("scheme") == "wss" else "http"
    host = (header(scope, b"host") or "").lower()
    domain, _ = split_domain_port(host)
    return f"{scheme}://{host}" if validate_host(domain, settings.ALLOWED_HOSTS) else None


async def authenticate(scope: dict[str, Any], node: "Node") -> Authenticated | None:
    """By the Authorization header, else by a ticket, else by the session cookie; a crowd is read
    together. None where there is none of them.

    Raises Refusal.
    """
    authorization = header(scope, b"authorization")
    try:
        if authorization is not None:
            return await node.admissions.ask(credential_of_header(authorization))
        if (ticket := offered_ticket(scope)) is not None:
            return await by_ticket(ticket, node)
        if (key := _session_cookie(header(scope, b"cookie") or "")) is not None:
            return await node.admissions.ask(credential_of_session(key))
    except (Unauthorized, NotFound) as error:
        raise refusal_of_credentials(error) from error
    except Unavailable as error:
        raise overloaded() from error
    return None


async def by_ticket(ticket: str, node: "Node") -> Authenticated:
    """Who the ticket was made for, if nothing is known to have ended since. No read where it is
    fresh; else a look at the row of the person's stream, shared by all who come meanwhile.

    Raises Unauthorized, NotFound, Unavailable.
    """
    found, age_s = await node.tickets.take(ticket)
    row = found.stream
    if row is None or _has_moved(node, row):
        return await in_database(authenticated_again, found.identity)
    if age_s <= FRESH_S:
        return found
    looked_at = time.monotonic()
    for state in await node.hub.reader.states([row.id]):
        if (state.epoch, state.head) == (row.epoch, row.head):
            return replace(found, read_at=looked_at)
    return await in_database(authenticated_again, found.identity)


def _has_moved(node: "Node", row: "StreamState") -> bool:
    """Whether this node knows of events behind that position of a person's stream."""
    stream = node.hub.streams.get(row.name)
    if stream is None or not stream.epoch:
        return False
    return stream.epoch != row.epoch or stream.last > row.head


def _session_cookie(text: str) -> str | None:
    try:
        morsel = SimpleCookie(text).get(settings.SESSION_COOKIE_NAME)
    except CookieError:
        return None
    return None if morsel is None else morsel.value


def offered_ticket(scope: dict[str, Any]) -> str | None:
    """The first that is offered as a subprotocol, which is never selected."""
    for name in scope.get("subprotocols", ()):
        if name.startswith(TICKET_SUBPROTOCOL):
            return str(name.removeprefix(TICKET_SUBPROTOCOL))
    return None


def offered_subprotocol(scope: dict[str, Any]) -> str | None:
    return SUBPROTOCOL if SUBPROTOCOL in scope.get("subprotocols", ()) else None


def excess(text: str) -> str | None:
    """Why a text frame is too large; None where it is not. Some servers have no limit of theirs."""
    limit = options().websocket_max_message_bytes
    if len(text) > limit or (len(text) * 4 > limit and len(text.encode()) > limit):
        return f"expected at most {limit} bytes"
    return None
