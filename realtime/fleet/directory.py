"""Reading the registry: which nodes run, and where a socket is. Asynchronous, in a node's loop or
in one of a command; `realtime.fleet.operations` has the synchronous face."""

from collections.abc import Iterable
from typing import Any

from redis.asyncio import Redis

from realtime.fleet.records import (
    ConnectionRecord,
    Keys,
    NodeRecord,
    connection_record,
    node_record,
)
from realtime.shared.store import BACKGROUND_LIMIT_S, SharedStore

SCAN_COUNT = 1_000


async def nodes(store: SharedStore) -> list[NodeRecord]:
    """Every node whose lease is in force, the oldest first. Raises Unavailable."""

    async def read(redis: Redis) -> list[NodeRecord]:
        now_ms = await _now_ms(redis)
        ids = await _alive(store, redis, now_ms)
        async with redis.pipeline(transaction=False) as pipe:
            for node_id in ids:
                pipe.hgetall(Keys.of(store, node_id).node)
            stored = await pipe.execute()
        found = [node_record(*pair, now_ms) for pair in zip(ids, stored, strict=True)]
        known = [record for record in found if record is not None]
        return sorted(known, key=lambda record: (-record.up_s, record.id))

    return await store.call(read, limit_s=BACKGROUND_LIMIT_S)


async def connections(store: SharedStore, *, user_id: int | None = None) -> list[ConnectionRecord]:
    """The sockets of all nodes, or those of one person, the oldest first. Raises Unavailable."""

    async def read(redis: Redis) -> list[ConnectionRecord]:
        now_ms = await _now_ms(redis)
        found: list[ConnectionRecord] = []
        for node_id in await _alive(store, redis, now_ms):
            key = Keys.of(store, node_id).connections
            async for field, value in redis.hscan_iter(key, count=SCAN_COUNT):
                found.append(connection_record(field.decode(), node_id, value, now_ms))
        return _wanted(found, user_id)

    return await store.call(read, limit_s=BACKGROUND_LIMIT_S)


async def find_connection(store: SharedStore, connection_id: str) -> ConnectionRecord | None:
    """Where that socket is, None where no node lists it. Raises Unavailable."""

    async def read(redis: Redis) -> ConnectionRecord | None:
        now_ms = await _now_ms(redis)
        ids = await _alive(store, redis, now_ms)
        async with redis.pipeline(transaction=False) as pipe:
            for node_id in ids:
                pipe.hget(Keys.of(store, node_id).connections, connection_id)
            stored = await pipe.execute()
        for node_id, value in zip(ids, stored, strict=True):
            if value is not None:
                return connection_record(connection_id, node_id, value, now_ms)
        return None

    return await store.call(read, limit_s=BACKGROUND_LIMIT_S)


async def _now_ms(redis: Redis) -> int:
    seconds, microseconds = await redis.time()
    return int(seconds) * 1000 + int(microseconds) // 1000


async def _alive(store: SharedStore, redis: Redis, now_ms: int) -> list[str]:
    nodes_key = Keys.of(store, "").nodes
    found: Any = await redis.zrangebyscore(nodes_key, f"({now_ms}", "+inf")
    return [node_id.decode() for node_id in found]


def _wanted(found: Iterable[ConnectionRecord], user_id: int | None) -> list[ConnectionRecord]:
    wanted = [one for one in found if user_id is None or one.user_id == user_id]
    return sorted(wanted, key=lambda one: (-one.open_s, one.id))
