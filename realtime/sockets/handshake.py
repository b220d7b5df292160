"""Who may open a socket: the switch, the room, the origin, the credentials, in that order."""

import json
import random
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.http.request import split_domain_port, validate_host

from realtime.conf import options
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
from realtime.security.identity import Authenticated

if TYPE_CHECKING:
    from realtime.node import Node

SUBPROTOCOL = "pm.v1"
RETRY_AFTER_MS = (1_000, 5_000)


@dataclass(frozen=True, slots=True)
class Refusal(Exception):
    """The handshake is accepted and closed with this, so that a browser can see why."""

    code: CloseCode
    reason: str


def overloaded() -> Refusal:
    """Each client its own delay, so that they do not return together."""
    delay_ms = random.randint(*RETRY_AFTER_MS)
    return Refusal(CloseCode.OVERLOADED, json.dumps({"retry_after_ms": delay_ms}))


def refusal_after(error: RealtimeError) -> Refusal:
    """What an error means for a socket that was to begin with what it refused."""
    if isinstance(error, Internal):
        return Refusal(CloseCode.INTERNAL, error.message)
    if error.temporary:
        return overloaded()
    code = CloseCode.BAD_REQUEST if isinstance(error, BadRequest) else CloseCode.FORBIDDEN
    return Refusal(code, error.message[:120])


def header(scope: dict[str, Any], name: bytes) -> str | None:
    """The first header of that lower-case name; bytes that are not text become replacements."""
    for key, value in scope["headers"]:
        if key.lower() == name:
            return bytes(value).decode("latin-1")
    return None


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


async def authenticate(scope: dict[str, Any], node: "Node") -> Authenticated:
    """By the Authorization header, else by the session cookie; a crowd is read together.

    Raises Refusal.
    """
    authorization = header(scope, b"authorization")
    try:
        if authorization is not None:
            credential = credential_of_header(authorization)
        else:
            credential = credential_of_session(_session_cookie(header(scope, b"cookie") or ""))
        return await node.admissions.ask(credential)
    except (Unauthorized, NotFound) as error:
        raise Refusal(CloseCode.UNAUTHORIZED, error.message[:120]) from error
    except Unavailable as error:
        raise overloaded() from error


def _session_cookie(text: str) -> str:
    """Raises Unauthorized."""
    try:
        morsel = SimpleCookie(text).get(settings.SESSION_COOKIE_NAME)
    except CookieError:
        morsel = None
    if morsel is None:
        raise Unauthorized("expected a session cookie or an Authorization header, got neither")
    return morsel.value


def offered_subprotocol(scope: dict[str, Any]) -> str | None:
    return SUBPROTOCOL if SUBPROTOCOL in scope.get("subprotocols", ()) else None
