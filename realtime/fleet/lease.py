"""A node's own entry: renewed, corrected, given up. One script call each, on Redis' clock."""

import json
import os
import socket
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from redis.asyncio import Redis

from realtime import __version__
from realtime.fleet.records import LEASE_S, Keys, NodeState
from realtime.shared.store import BACKGROUND_LIMIT_S, SharedStore

# Keys as in records.py. Arguments: node id, lease (ms), age (ms), state, connections, host, pid,
# version, "1" to list the connections anew, how many ids follow that are gone, those ids, then
# (id, user id, age in ms) of each one that is new.
_RENEW = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local lease = tonumber(ARGV[2])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
redis.call('ZADD', KEYS[1], now + lease, ARGV[1])
redis.call('PEXPIRE', KEYS[1], lease)
redis.call('HSET', KEYS[2], 'host', ARGV[6], 'pid', ARGV[7], 'version', ARGV[8],
    'state', ARGV[4], 'connections', ARGV[5])
redis.call('HSETNX', KEYS[2], 'started', string.format('%.0f', now - ARGV[3]))
redis.call('PEXPIRE', KEYS[2], lease)
if ARGV[9] == '1' then redis.call('DEL', KEYS[3]) end
local at = 11
for _ = 1, tonumber(ARGV[10]) do
    redis.call('HDEL', KEYS[3], ARGV[at])
    at = at + 1
end
while at <= #ARGV do
    local opened = string.format('%.0f', now - ARGV[at + 2])
    redis.call('HSET', KEYS[3], ARGV[at], ARGV[at + 1] .. ':' .. opened)
    at = at + 3
end
redis.call('PEXPIRE', KEYS[3], lease)
local orders = redis.call('LRANGE', KEYS[4], 0, -1)
redis.call('DEL', KEYS[4])
return {redis.call('HLEN', KEYS[3]), orders}
"""
# What one call carries: a script holds up everybody else's Redis while it runs.
BATCH = 500


@dataclass(frozen=True, slots=True)
class Opened:
    """A socket that the registry does not know yet."""

    id: str
    user_id: int
    age_s: float


@dataclass(frozen=True, slots=True)
class Order:
    """Close this socket, and tell its client that reason."""

    connection_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class Renewal:
    """How many connections are listed now, and what this node was asked to do."""

    listed: int
    orders: Sequence[Order]


class Lease:
    """The entry of one node. Every method raises Unavailable when Redis does not answer."""

    def __init__(self, store: SharedStore, node_id: str) -> None:
        self._store = store
        self._id = node_id
        self._keys = Keys.of(store, node_id)

    async def renew(
        self,
        *,
        state: NodeState,
        connections: int,
        age_s: float,
        anew: bool,
        gone: Sequence[str] = (),
        opened: Sequence[Opened] = (),
    ) -> Renewal:
        """Hold the lease for 15 s from now and correct the list, by at most BATCH entries each."""
        facts = [state.value, connections, socket.gethostname(), os.getpid(), __version__]
        arguments = [self._id, round(LEASE_S * 1000), round(age_s * 1000), *facts]
        arguments += ["1" if anew else "0", len(gone), *gone, *_flat(opened)]
        keys = [self._keys.nodes, self._keys.node, self._keys.connections, self._keys.orders]
        listed, orders = await self._store.call(
            lambda redis: redis.eval(_RENEW, len(keys), *keys, *arguments),
            limit_s=BACKGROUND_LIMIT_S,
        )
        return Renewal(int(listed), [Order(*json.loads(order)) for order in orders])

    async def give_up(self) -> None:
        """The node stops in order: nobody shall look for it until the lease is over."""
        keys = self._keys

        async def forget(redis: Redis) -> None:
            async with redis.pipeline() as pipe:
                pipe.zrem(keys.nodes, self._id)
                pipe.delete(keys.node, keys.connections, keys.orders)
                await pipe.execute()

        await self._store.call(forget, limit_s=BACKGROUND_LIMIT_S)


def _flat(opened: Iterable[Opened]) -> list[str | int]:
    flat: list[str | int] = []
    for one in opened:
        flat += [one.id, one.user_id, round(one.age_s * 1000)]
    return flat
