"""A POST of JSON to an address of the operator's choice, signed.

The receiver computes HMAC-SHA256 over `<X-Status-Timestamp>.<body>` with the shared secret, and
compares it with `X-Status-Signature: sha256=<hex>`, and drops what is old, or has an
`X-Status-Delivery` that it knows. Redirects are not followed: they could lead anywhere.
"""

import asyncio
import hashlib
import hmac
import json
import ssl
import time

from status.channels.addresses import Target, resolved, target_of
from status.channels.notice import NotDelivered, Notice

TIMEOUT_S = 10.0  # for everything together
MAX_HEAD_BYTES = 16_384
_TAKEN = range(200, 300)
_MOVED = range(300, 400)
_REFUSED = range(400, 500)
# Too early, too slow, too often: another attempt may do.
_AGAIN = frozenset({408, 425, 429})


def signature(secret: str, timestamp: str, body: bytes) -> str:
    signed = timestamp.encode() + b"." + body
    return "sha256=" + hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()


class Webhook:
    def __init__(self, url: str, secret: str, *, allow_private: bool) -> None:
        self._url = url
        self._secret = secret
        self._allow_private = allow_private

    async def deliver(self, notice: Notice, key: str) -> None:
        """Raises NotDelivered."""
        try:
            target = target_of(self._url)
        except ValueError as error:
            raise NotDelivered(str(error), final=True) from error
        try:
            async with asyncio.timeout(TIMEOUT_S):
                address = await resolved(target, allow_private=self._allow_private)
                status, where = await _posted(target, address, self._request(target, notice, key))
        except TimeoutError as error:
            raise NotDelivered(f"expected an answer within {TIMEOUT_S:g} s, got none") from error
        except (OSError, EOFError, ValueError) as error:
            raise NotDelivered(f"expected an answer over HTTP, got {error!r}") from error
        _judge(status, where)

    def _request(self, target: Target, notice: Notice, key: str) -> bytes:
        body = json.dumps({"type": "performance_alert", "data": notice.data}).encode()
        timestamp = str(int(time.time()))
        lines = [
            f"POST {target.resource} HTTP/1.1",
            f"Host: {target.name}",
            "Content-Type: application/json",
            f"Content-Length: {len(body)}",
            "User-Agent: pm-realtime-status",
            f"X-Status-Delivery: {key}",
            f"X-Status-Timestamp: {timestamp}",
            f"X-Status-Signature: {signature(self._secret, timestamp, body)}",
            "Connection: close",
        ]
        return "\r\n".join([*lines, "", ""]).encode("ascii") + body


async def _posted(target: Target, address: str, request: bytes) -> tuple[int, str]:
    """The status and the Location of the answer. Raises OSError, EOFError, ValueError."""
    secure = ssl.create_default_context() if target.scheme == "https" else None
    reader, writer = await asyncio.open_connection(
        address,
        target.port,
        ssl=secure,
        server_hostname=target.host if secure is not None else None,
        limit=MAX_HEAD_BYTES,
    )
    try:
        writer.write(request)
        await writer.drain()
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.LimitOverrunError as error:
        raise ValueError("a head that is too long") from error
    finally:
        writer.transport.abort()  # the rest of the answer is of no interest
    first, *lines = head.decode("latin-1").split("\r\n")
    version, _, rest = first.partition(" ")
    if not version.startswith("HTTP/1.") or not rest[:3].isdecimal():
        raise ValueError(f"no answer of HTTP: {first[:40]!r}")
    where = [line[9:].strip() for line in lines if line.lower().startswith("location:")]
    return int(rest[:3]), where[0] if where else ""


def _judge(status: int, where: str) -> None:
    """Raises NotDelivered unless it was taken."""
    if status in _TAKEN:
        return
    if status in _MOVED:
        raise NotDelivered(
            f"expected an answer, got a redirect to {where[:80]!r}: give the final address",
            final=True,
        )
    final = status in _REFUSED and status not in _AGAIN
    raise NotDelivered(f"expected a status of 200 to 299, got {status}", final=final)
