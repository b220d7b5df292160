"""Steps on their way to Redis: a list for each event, for an hour.

`put_nowait` never waits: one thread with a connection of its own writes what gathered within a
tenth of a second. Steps are lost where Redis is away, and nothing else is.
"""

import atexit
import json
import logging
import threading
import time
from collections import deque
from collections.abc import Sequence
from typing import Any, NamedTuple

from django.conf import settings
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

KEEP_S = 3600
MAX_STEPS = 200  # of an event: the first ones stay
QUEUE_LIMIT = 10_000  # above it the oldest steps that wait are dropped, and counted
GATHER_S = 0.1
LIMIT_S = 1.0  # of a call
PAUSE_S = 2.0  # after one that failed
FLUSH_TIMEOUT_S = 1.0

logger = logging.getLogger(__name__)


class Step(NamedTuple):
    """`at` in seconds since 1970, by the clock of `where`: a node's id, or host and process."""

    kind: str
    at: float
    where: str
    detail: dict[str, Any]


class Kept:
    """The lists of all events, as one process reads and writes them. Any thread, one at a time."""

    def __init__(self, redis: Redis, prefix: str) -> None:
        self._redis = redis
        self._prefix = prefix

    def key(self, stream: str, seq: int) -> str:
        return f"{self._prefix}:trace:{stream}:{seq}"

    def write(self, waiting: Sequence[tuple[str, int, Step]]) -> None:
        """All in one go. Raises RedisError, OSError."""
        by_key: dict[str, list[str]] = {}
        for stream, seq, step in waiting:
            by_key.setdefault(self.key(stream, seq), []).append(json.dumps(step))
        pipeline = self._redis.pipeline(transaction=False)
        for key, steps in by_key.items():
            pipeline.rpush(key, *steps)
            pipeline.ltrim(key, 0, MAX_STEPS - 1)
            pipeline.expire(key, KEEP_S)
        pipeline.execute()

    def read(self, stream: str, seq: int) -> list[Step]:
        """The steps known of an event, by their times. Raises RedisError, OSError."""
        found: Any = self._redis.lrange(self.key(stream, seq), 0, -1)
        return sorted((Step(*json.loads(one)) for one in found), key=lambda step: step.at)

    def forget(self, stream: str, seq: int) -> None:
        """Raises RedisError, OSError."""
        self._redis.delete(self.key(stream, seq))


def kept_steps() -> Kept | None:
    """In the store of the installation; None where the channel layer is in memory."""
    config: dict[str, Any] = settings.CHANNEL_LAYERS["default"].get("CONFIG", {})
    hosts = config.get("hosts")
    if not hosts:
        return None
    return Kept(redis_at(hosts[0]["address"]), config["prefix"])


def redis_at(address: str) -> Redis:
    """A client that gives up after LIMIT_S; by default it would try again for seconds."""
    return Redis.from_url(
        address,
        socket_connect_timeout=LIMIT_S,
        socket_timeout=LIMIT_S,
        retry=Retry(NoBackoff(), 0),
    )


class Recorder:
    """`lost` counts the steps that were dropped."""

    def __init__(self, kept: Kept) -> None:
        self.lost = 0
        self._kept = kept
        self._waiting: deque[tuple[str, int, Step]] = deque(maxlen=QUEUE_LIMIT)
        self._turn = threading.Condition()  # of all below
        self._writing = False
        self._thread: threading.Thread | None = None

    def put_nowait(self, stream: str, seq: int, step: Step) -> None:
        with self._turn:
            self.lost += len(self._waiting) == QUEUE_LIMIT
            self._waiting.append((stream, seq, step))
            if self._thread is None:
                atexit.register(self.flush)
                self._thread = threading.Thread(target=self._run, name="trace", daemon=True)
                self._thread.start()
            self._turn.notify_all()

    def flush(self, timeout_s: float = FLUSH_TIMEOUT_S) -> bool:
        """Wait until everything has been written or dropped; False when time ran out."""
        with self._turn:
            return self._turn.wait_for(self._is_idle, timeout_s)

    def _is_idle(self) -> bool:
        return not self._waiting and not self._writing

    def _run(self) -> None:
        """The thread; it ends with the process."""
        while True:
            with self._turn:
                self._turn.wait_for(lambda: self._waiting)
            time.sleep(GATHER_S)
            with self._turn:
                waiting = list(self._waiting)
                self._waiting.clear()
                self._writing = True
            failed = not self._write(waiting)
            with self._turn:
                self._writing = False
                self._turn.notify_all()
            if failed:
                time.sleep(PAUSE_S)

    def _write(self, waiting: Sequence[tuple[str, int, Step]]) -> bool:
        try:
            self._kept.write(waiting)
        except (RedisError, OSError) as error:
            self.lost += len(waiting)
            logger.debug("steps not kept steps=%d error=%r", len(waiting), error)
            return False
        return True
