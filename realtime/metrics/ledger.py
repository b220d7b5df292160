"""The numbers of all processes, together: each writes its own into Redis, anybody reads them.

metrics:told   hash: process -> "<when, s of Redis' clock> <JSON [counts, gauges]>"
metrics:gone   hash: series -> the sum of processes that ended long ago

A sum must not fall when a process ends: Prometheus would take that for a restart of everything, and
count all that is left once more. So what a process told last goes on counting; an hour later (or
when a hundred younger ones have ended) it is added to `gone`. Who stops tells its counts a last
time, and no gauges: it is how a process that ended is known from one that hangs. What was counted
after that is lost: at most 5 s of a process that was killed.
"""

import asyncio
import json
import logging
from collections import defaultdict
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from redis.asyncio import Redis

from realtime import publisher
from realtime.components import Merge
from realtime.metrics.gauges import GAUGES, SILENT, Numbers, numbers
from realtime.metrics.kinds import SEPARATOR
from realtime.protocol.errors import Unavailable
from realtime.shared.store import BACKGROUND_LIMIT_S, SharedStore, shared_store

if TYPE_CHECKING:
    from realtime.node import Node

TELL_EVERY_S = 5.0
ALIVE_S = 15  # since a process told its numbers last
MISSED_S = 300  # who is silent for longer was killed, and is missed no more
FOLD_AFTER_S = 3_600
MAX_ENDED = 100

_TELL = "redis.call('HSET', KEYS[1], ARGV[1], redis.call('TIME')[1] .. ' ' .. ARGV[2])"
# Arguments: the process, what it told, then series and value of each count. Who comes second, or
# finds that the process lives after all, adds nothing.
_FOLD = """
if redis.call('HGET', KEYS[1], ARGV[1]) ~= ARGV[2] then return 0 end
redis.call('HDEL', KEYS[1], ARGV[1])
for at = 3, #ARGV, 2 do redis.call('HINCRBYFLOAT', KEYS[2], ARGV[at], ARGV[at + 1]) end
return 1
"""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Totals:
    """By series. Where not all processes could be asked (`complete`), `counts` is empty: a part of
    a sum would look like a restart; and `gauges` are those of this process.

    `silent` are the processes that should have told their numbers and did not: their counts are
    those of before, and they are not in the gauges."""

    counts: dict[str, float]
    gauges: dict[str, float]
    complete: bool = True
    silent: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Told:
    process: str
    raw: bytes
    at: int
    numbers: Numbers = field(compare=False)

    @classmethod
    def of(cls, process: bytes, raw: bytes) -> "_Told":
        at, _, content = raw.partition(b" ")
        return cls(process.decode(), raw, int(at), Numbers(*json.loads(content)))

    def missed(self, now: int) -> bool:
        """Whether it is silent without having stopped."""
        return ALIVE_S <= now - self.at < MISSED_S and bool(self.numbers.gauges)


async def telling(node: "Node | None") -> None:
    """The background task of each node and worker: its numbers are told every 5 s, and its counts
    once more when it stops."""
    store = shared_store() if node is None else node.shared
    if store is None:
        return
    try:
        while True:
            try:
                await tell(store, await numbers(node))
            except Unavailable as error:
                logger.debug("numbers not told: %s", error.message)
            except Exception:
                # A named top-level loop: if it ended, this process would seem to have.
                logger.exception("numbers not told")
            await asyncio.sleep(TELL_EVERY_S)
    finally:
        with suppress(Unavailable):
            await tell(store, Numbers((await numbers(node)).counts, {}))
        if node is None:
            await store.close()


async def tell(store: SharedStore, found: Numbers, process: str | None = None) -> None:
    """Raises Unavailable."""
    arguments = [process or publisher.origin(), json.dumps([found.counts, found.gauges])]
    key = store.key("metrics", "told")
    await store.call(
        lambda redis: redis.eval(_TELL, 1, key, *arguments), limit_s=BACKGROUND_LIMIT_S
    )


async def totals(node: "Node | None") -> Totals:
    """Of all processes: this one's as of now, the others' 5 s old at most. Nothing is raised."""
    own = await numbers(node)
    store = node.shared if node is not None else None
    if store is None:
        return Totals(own.counts, own.gauges)
    try:
        await tell(store, own)
        return await together(store)
    except Unavailable as error:
        logger.info("numbers of the others not read: %s", error.message)
        return Totals({}, own.gauges, complete=False)


async def together(store: SharedStore) -> Totals:
    """What all have told. Raises Unavailable."""

    async def read(redis: Redis) -> Any:
        async with redis.pipeline(transaction=True) as pipe:
            pipe.time()
            pipe.hgetall(store.key("metrics", "told"))
            pipe.hgetall(store.key("metrics", "gone"))
            return await pipe.execute()

    (now, _), told, gone = await store.call(read, limit_s=BACKGROUND_LIMIT_S)
    processes = [_Told.of(*pair) for pair in told.items()]
    counts: defaultdict[str, float] = defaultdict(float)
    for series, value in gone.items():
        counts[series.decode()] += float(value)
    for one in processes:
        for series, value in one.numbers.counts.items():
            counts[series] += value
    alive = [one for one in processes if one.at > now - ALIVE_S]
    await _fold(store, [one for one in processes if one.at <= now - ALIVE_S], now)
    gauges = _merged(one.numbers.gauges for one in alive)
    silent = tuple(sorted(one.process for one in processes if one.missed(now)))
    gauges[SILENT] = float(len(silent))
    return Totals(dict(counts), gauges, silent=silent)


async def _fold(store: SharedStore, ended: list[_Told], now: int) -> None:
    """Raises Unavailable."""
    newest = sorted(ended, key=lambda one: -one.at)
    keys = [store.key("metrics", "told"), store.key("metrics", "gone")]
    for place, one in enumerate(newest):
        if place < MAX_ENDED and one.at > now - FOLD_AFTER_S:
            continue
        pairs = [part for pair in one.numbers.counts.items() if pair[1] for part in pair]
        arguments = [*keys, one.process, one.raw, *pairs]

        async def fold(redis: Redis, arguments: list[Any] = arguments) -> Any:
            return await redis.eval(_FOLD, len(keys), *arguments)

        await store.call(fold, limit_s=BACKGROUND_LIMIT_S)


def _merged(all_gauges: Iterable[dict[str, float]]) -> dict[str, float]:
    merged: dict[str, float] = {}
    for gauges in all_gauges:
        for series, value in gauges.items():
            gauge = GAUGES.get(series.partition(SEPARATOR)[0])
            if gauge is None:
                continue  # told by another version of the program
            if series not in merged:
                merged[series] = value
            elif gauge.merge is Merge.SUM:
                merged[series] += value
            else:
                merged[series] = max(merged[series], value)
    return merged
