"""The banned addresses, as this process knows them: read every few seconds, asked for every socket
and request.

Nobody waits for the database at the door, but for the first reading of a process. A change is
hinted at to every node (`realtime.bans.imposing`); a hint that is lost costs EVERY_S.
"""

import asyncio
import time
from collections.abc import Iterable
from datetime import datetime
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)

from django.utils import timezone

from realtime.database import in_database
from realtime.models import Ban
from realtime.protocol.codes import CloseCode
from realtime.protocol.errors import BadRequest
from realtime.security.endings import BANNED

EVERY_S = 5.0
MAX_NETWORKS = 1_000  # in force at a time: the table is in every process, and read whole
# Wider ones are most likely a slip, and would shut out a part of the world.
MIN_PREFIX = {4: 8, 6: 19}
AT_ONCE = 500  # sockets: events and requests have their turn between

Network = IPv4Network | IPv6Network


def network_of(text: str) -> Network:
    """An address or a network in CIDR form; bits of the host are cut off.

    Raises BadRequest, which names the field.
    """
    try:
        found = ip_network(text.strip(), strict=False)
    except ValueError as error:
        raise BadRequest(
            f"network: expected an address or a network such as 192.0.2.0/24, got {text[:43]!r}"
        ) from error
    if isinstance(found, IPv6Network) and (mapped := found.network_address.ipv4_mapped):
        found = ip_network((mapped, max(0, found.prefixlen - 96)), strict=False)
    if found.prefixlen < (least := MIN_PREFIX[found.version]):
        raise BadRequest(
            f"network: expected a prefix of {least} bits or more, got /{found.prefixlen}"
        )
    return found


def address_of(text: str | None) -> IPv4Address | IPv6Address | None:
    """None for what is no address: the peer of a unix socket has none."""
    try:
        found = ip_address((text or "").partition("%")[0])
    except ValueError:
        return None
    return (found.ipv4_mapped or found) if isinstance(found, IPv6Address) else found


class Networks:
    """Networks with their ends, by version and length of prefix: a look costs one operation for
    each length that there is."""

    def __init__(self, rows: Iterable[tuple[str, datetime | None]]) -> None:
        self.rows = tuple(rows)
        self._by_prefix: dict[tuple[int, int], dict[int, datetime | None]] = {}
        for text, until in self.rows:
            network = ip_network(text)
            within = self._by_prefix.setdefault((network.version, network.prefixlen), {})
            within[int(network.network_address)] = until

    def hold(self, text: str | None) -> bool:
        """Whether the address is banned now."""
        if not self._by_prefix or (address := address_of(text)) is None:
            return False
        value, bits = int(address), address.max_prefixlen
        for (version, prefix), starts in self._by_prefix.items():
            if version != address.version:
                continue
            start = value >> (bits - prefix) << (bits - prefix)
            if start in starts and ((end := starts[start]) is None or end > timezone.now()):
                return True
        return False


def stored() -> Networks:
    """As the database has them. Synchronous."""
    rows = Ban.objects.filter(network__isnull=False, ended_at=None).order_by("pk")
    found = rows.values_list("network", "until")[:MAX_NETWORKS]
    return Networks((network, until) for network, until in found if network is not None)


class Table:
    """This process's. Touched in its event loop alone."""

    def __init__(self) -> None:
        self._networks: Networks | None = None
        self._due = 0.0
        self._reading: asyncio.Task[bool] | None = None

    def expire(self) -> None:
        """Read again before the next look that may wait."""
        self._due = 0.0

    async def refresh(self) -> bool:
        """Read it, if that is due; together with whoever reads it now. Whether it has changed.

        Raises Unavailable; what was known then still holds.
        """
        loop = asyncio.get_running_loop()
        if self._reading is None or self._reading.get_loop() is not loop:
            if time.monotonic() < self._due:
                return False
            self._due = time.monotonic() + EVERY_S
            self._reading = loop.create_task(self._read())
        return await asyncio.shield(self._reading)

    async def _read(self) -> bool:
        try:
            before, self._networks = self._networks, await in_database(stored)
        finally:
            self._reading = None
        return before is None or before.rows != self._networks.rows

    async def known(self) -> None:
        """Return when they have been read once; after that, at once. Raises Unavailable."""
        if self._networks is None:
            if self._reading is None:
                self.expire()  # one that failed is made up for now, not in EVERY_S
            await self.refresh()

    def hold(self, address: str | None) -> bool:
        """Whether it is banned, as far as is known."""
        return self._networks is not None and self._networks.hold(address)


table = Table()


async def enforce() -> None:
    """A sweep, and what a hint calls: read what is due, and close whom a change has banned.

    Raises Unavailable.
    """
    from realtime.node import running_node

    node = running_node()
    if not await table.refresh() or node is None:
        return
    for number, connection in enumerate(list(node.connections)):
        if number % AT_ONCE == AT_ONCE - 1:
            await asyncio.sleep(0)
        if table.hold(connection.address):
            connection.close(CloseCode.FORBIDDEN, BANNED)
