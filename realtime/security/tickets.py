"""Tickets for the WebSocket handshake: single use, 30 s, bound to a person and to the credential
that it was made with.

What is kept of a ticket is all that a reading of the credential gave, so that whoever comes with it
costs no read: the person, the credential's name and end, and the position of `user.<id>` at which
all of that held. An ending above it is found by position, as for every socket.

The store is not trusted with it. A ticket is kept under its digest, and its content is enciphered
with the ticket itself and signed with the site's secret: reading the store gives nobody a ticket or
a session, and writing to it gives nobody an identity.
"""

import hmac
import re
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from functools import cache
from hashlib import sha256, shake_256
from itertools import count
from typing import Any, NamedTuple

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.utils import timezone
from pydantic_core import from_json, to_json

from realtime.batching import Gatherer
from realtime.conf import options
from realtime.log.reading import StreamState
from realtime.protocol.errors import RateLimited, RealtimeError, Unauthorized
from realtime.security.allowance import Allowance
from realtime.security.identity import (
    Authenticated,
    Identity,
    KeptUser,
    identity_of_row,
    identity_of_session,
)
from realtime.shared.slips import Slip, Slips

LIFE_S = 30
TICKET_PREFIX = "pmt_"
TOGETHER = 128
GATHER_S = 0.01
_LIFE_MS = LIFE_S * 1000
_TICKET = re.compile(r"pmt_[A-Za-z0-9_-]{43}")
_MARK_BYTES = 16
_WAYS: dict[str, Callable[[Any], Identity]] = {
    "session": identity_of_session,
    "key": identity_of_row,
}
_NAMES = {read: name for name, read in _WAYS.items()}


class Redeemed(NamedTuple):
    """What held `age_s` ago."""

    authenticated: Authenticated
    age_s: float


class _Use(NamedTuple):
    """Two who come with one ticket ask for two things: who asks for the same is answered alike."""

    name: str
    number: int


class Tickets:
    """Made and used in one event loop; a crowd's tickets are put and taken together."""

    def __init__(self, slips: Slips) -> None:
        self._slips = slips
        self._put = Gatherer(self._put_together, limit=TOGETHER, gather_s=GATHER_S)
        self._take = Gatherer(self._take_together, limit=TOGETHER, gather_s=GATHER_S)
        self._uses = count()
        self._allowance = Allowance(LIFE_S)

    async def issue(self, authenticated: Authenticated) -> str:
        """A new ticket for what was just read with its stream. Raises RateLimited, Unavailable."""
        most = options().websocket_ticket_limit
        if wait_ms := self._allowance.use(authenticated.identity.user_id, most):
            raise RateLimited(
                f"expected at most {most} tickets of an account within {LIFE_S} s, got one more",
                retry_after_ms=wait_ms,
            )
        ticket = TICKET_PREFIX + secrets.token_urlsafe(32)
        await self._put.ask((_name(ticket), _sealed(ticket, packed(authenticated))))
        return ticket

    async def take(self, ticket: str) -> Redeemed:
        """The ticket is worth nothing afterwards. Raises Unauthorized, Unavailable."""
        if _TICKET.fullmatch(ticket) is None:
            raise Unauthorized(
                "ticket: expected one of POST /api/websocket/tickets, got other text"
            )
        slip = await self._take.ask(_Use(_name(ticket), next(self._uses)))
        content = slip and _opened(ticket, slip.value)
        if slip is None or content is None:
            raise Unauthorized("ticket: expected a fresh one, got one that was used or is too old")
        authenticated, read_before_s = unpacked(content)
        age_s = read_before_s + max(0, _LIFE_MS - slip.left_ms) / 1000
        return Redeemed(replace(authenticated, read_at=time.monotonic() - age_s), age_s)

    async def _put_together(
        self, values: Sequence[tuple[str, bytes]]
    ) -> list[RealtimeError | None]:
        await self._slips.put(values, _LIFE_MS)
        return [None] * len(values)

    async def _take_together(self, uses: Sequence[_Use]) -> list[RealtimeError | Slip | None]:
        return [*await self._slips.take([use.name for use in uses])]


def packed(authenticated: Authenticated) -> bytes:
    """The identity and its position, as JSON. Only of such as were read with their stream."""
    identity, row = authenticated.identity.kept(), authenticated.stream
    if row is None:
        raise ValueError("expected credentials that were read with their stream, got none")
    return to_json(
        {
            "way": _NAMES[identity.read],
            "presented": identity.presented,
            "credential": identity.credential,
            "expires_at": identity.expires_at,
            "name": identity.name,
            "user": identity.user.columns(),
            "stream": [row.id, row.name, row.epoch, row.head, row.floor],
            "read_before_s": time.monotonic() - authenticated.read_at,
        }
    )


def unpacked(content: bytes) -> tuple[Authenticated, float]:
    """What was packed, and how many seconds before that it was read.

    Raises Unauthorized where the credential has expired since, or the content is that of another
    version of the project.
    """
    try:
        authenticated, read_before_s = _read_back(from_json(content))
    # Sealed here, so of this site, but by another version: there is no saying what that one packs.
    except (LookupError, TypeError, ValueError, AttributeError, ValidationError) as error:
        raise Unauthorized("ticket: expected one of this version, got another's") from error
    expires_at = authenticated.identity.expires_at
    if expires_at is not None and expires_at <= timezone.now():
        raise Unauthorized("ticket: expected valid credentials, got some that have expired")
    return authenticated, read_before_s


def _read_back(found: dict[str, Any]) -> tuple[Authenticated, float]:
    ends = found["expires_at"]
    expires_at = None if ends is None else datetime.fromisoformat(ends)
    user = KeptUser.of_columns(get_user_model(), found["name"], found["user"])
    read, row = _WAYS[found["way"]], StreamState(*found["stream"])
    identity = Identity(user, found["credential"], expires_at, read, found["presented"])
    return Authenticated(identity, row.head, row), float(found["read_before_s"])


@cache
def _secret() -> bytes:
    return sha256(b"realtime.tickets:" + settings.SECRET_KEY.encode()).digest()


def _name(ticket: str) -> str:
    return sha256(ticket.encode()).hexdigest()


def _sealed(ticket: str, content: bytes) -> bytes:
    """The mark, then the content under a key stream that is used once, as the ticket is."""
    hidden = _crossed(ticket, content)
    return _mark(ticket, hidden) + hidden


def _opened(ticket: str, value: bytes) -> bytes | None:
    """None for what was not sealed here."""
    mark, hidden = value[:_MARK_BYTES], value[_MARK_BYTES:]
    return _crossed(ticket, hidden) if hmac.compare_digest(mark, _mark(ticket, hidden)) else None


def _mark(ticket: str, hidden: bytes) -> bytes:
    return hmac.digest(_secret(), ticket.encode() + hidden, "sha256")[:_MARK_BYTES]


def _crossed(ticket: str, content: bytes) -> bytes:
    size = len(content)
    stream = shake_256(_secret() + ticket.encode()).digest(size)
    crossed = int.from_bytes(content, "big") ^ int.from_bytes(stream, "big")
    return crossed.to_bytes(size, "big")
