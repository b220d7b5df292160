"""Where a webhook may go: not into our own network, unless that is allowed.

The address that was checked is the one that is connected to: a name that is looked up twice may say
something else the second time.
"""

import asyncio
import re
import socket
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Literal
from urllib.parse import urlsplit

from status.channels.notice import NotDelivered

MAX_URL_CHARS = 500
_PRINTABLE = re.compile(r"[!-~]+")
_NAT64 = ip_network("64:ff9b::/96")


@dataclass(frozen=True, slots=True)
class Target:
    """A URL in its parts; `resource` is path and query."""

    scheme: Literal["http", "https"]
    host: str
    port: int
    resource: str

    @property
    def name(self) -> str:
        """As the Host header has it."""
        shown = f"[{self.host}]" if ":" in self.host else self.host
        usual = {"http": 80, "https": 443}[self.scheme]
        return shown if self.port == usual else f"{shown}:{self.port}"


def target_of(url: str) -> Target:
    """Raises ValueError, in a sentence that an administrator can act on."""
    if len(url) > MAX_URL_CHARS or not _PRINTABLE.fullmatch(url):
        raise ValueError(f"expected {MAX_URL_CHARS} printable characters at most, without spaces")
    parts = urlsplit(url)
    scheme: Literal["http", "https"]
    if parts.scheme == "https":
        scheme = "https"
    elif parts.scheme == "http":
        scheme = "http"
    else:
        raise ValueError(f"expected a URL that begins with https:// or http://, got {url[:40]!r}")
    if not parts.hostname:
        raise ValueError(f"expected a URL with a host, got {url[:40]!r}")
    if "@" in parts.netloc:
        raise ValueError("expected a URL without a user and a password")
    port = parts.port if parts.port is not None else {"http": 80, "https": 443}[scheme]
    resource = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Target(scheme, parts.hostname, port, resource)


def is_public(address: str) -> bool:
    """Whether the address is one of the internet, whatever it is wrapped in."""
    found = ip_address(address.partition("%")[0])
    return all(inner.is_global and not inner.is_multicast for inner in _wrapped(found))


def _wrapped(found: IPv4Address | IPv6Address) -> list[IPv4Address | IPv6Address]:
    if isinstance(found, IPv4Address):
        return [found]
    if found.ipv4_mapped is not None:
        return [found.ipv4_mapped]
    inner = found.sixtofour
    if found in _NAT64:
        inner = IPv4Address(int(found) & 0xFFFF_FFFF)
    return [found] if inner is None else [found, inner]


async def resolved(target: Target, *, allow_private: bool) -> str:
    """An address of the target's host. Raises NotDelivered; final where one is not public."""
    loop = asyncio.get_running_loop()
    try:
        rows = await loop.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise NotDelivered(f"expected an address of {target.host!r}, got none") from error
    addresses = [str(row[4][0]) for row in rows]
    private = [address for address in addresses if not is_public(address)]
    if private and not allow_private:
        raise NotDelivered(
            f"expected a public address of {target.host!r}, got {private[0]}; "
            "WEBHOOK_ALLOW_PRIVATE allows others",
            final=True,
        )
    return addresses[0]
