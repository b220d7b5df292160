"""What one node does to the people of its streams in the shared store: one pipeline per round."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha1
from pathlib import Path
from sys import intern
from typing import TYPE_CHECKING, Any

from pydantic_core import from_json, to_json
from redis.exceptions import NoScriptError

from realtime.presence.roster import Difference, Seen
from realtime.shared.store import SharedStore

if TYPE_CHECKING:
    from redis.asyncio import Redis

LEASE_MS = 14_000
LINGER_MS = 10_000  # of a clean close: a reload must not look like leaving and coming
AWAY_MS = 300_000
KEEP_MS = 120_000  # of a stream's keys, once no node touches them any more
CHUNK = 500  # leases of one step: it keeps the server, which has one thread, for about 5 ms

SCRIPT = (Path(__file__).parent / "touch.lua").read_text()
SCRIPT_SHA = sha1(SCRIPT.encode()).hexdigest()  # noqa: S324 - the name that the server gives it


@dataclass(frozen=True, slots=True)
class Registration:
    """A connection and what its tab says of itself, `age_ms` ago."""

    user_id: int
    name: str
    connection: str
    state: str
    age_ms: int


@dataclass(frozen=True, slots=True)
class Touch:
    """One step for one stream; leases are written `<user>:<connection>`, with spaces between.

    nonce, counter: what the node knows; where that is not the present, the whole list comes back,
    never where `counter` is None.
    """

    stream: str
    nonce: str = ""
    counter: int | None = -1
    registered: Sequence[Registration] = ()
    renewed: Sequence[str] = ()
    released: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Touched:
    """`missing`: leases that were to be renewed and are not held; they must be registered anew."""

    seen: Seen
    missing: Sequence[str]


class PresenceStore:
    """Touches streams. The times are parameters so that tests need not wait for minutes."""

    def __init__(
        self,
        shared: SharedStore,
        *,
        lease_ms: int = LEASE_MS,
        linger_ms: int = LINGER_MS,
        away_ms: int = AWAY_MS,
    ) -> None:
        self._shared = shared
        self._times = (lease_ms, linger_ms, away_ms, KEEP_MS)

    async def touch(self, touches: Sequence[Touch], *, limit_s: float) -> list[Touched]:
        """All in one pipeline, results in the order of `touches`. Raises Unavailable."""
        if not touches:
            return []
        calls = [self._arguments(touch) for touch in touches]

        async def work(redis: "Redis") -> list[Any]:
            answers = await _run(redis, calls)
            forgotten = [n for n, a in enumerate(answers) if isinstance(a, NoScriptError)]
            if forgotten:
                await redis.script_load(SCRIPT)
                again = await _run(redis, [calls[number] for number in forgotten])
                for number, answer in zip(forgotten, again, strict=True):
                    answers[number] = answer
            for answer in answers:
                if isinstance(answer, Exception):
                    raise answer
            return answers

        return [_touched(answer) for answer in await self._shared.call(work, limit_s=limit_s)]

    def _arguments(self, touch: Touch) -> list[Any]:
        registered = [
            [r.user_id, r.name, r.connection, r.state, r.age_ms] for r in touch.registered
        ]
        keys = [
            self._shared.key("presence", touch.stream, part)
            for part in ("leases", "people", "due", "meta")
        ]
        return [
            *keys,
            *self._times,
            secrets.token_hex(6),
            touch.nonce,
            "" if touch.counter is None else touch.counter,
            to_json(registered),
            " ".join(touch.renewed),
            " ".join(touch.released),
        ]


async def _run(redis: "Redis", calls: Sequence[list[Any]]) -> list[Any]:
    pipeline = redis.pipeline(transaction=False)
    for arguments in calls:
        pipeline.evalsha(SCRIPT_SHA, 4, *arguments)
    answers: list[Any] = await pipeline.execute(raise_on_error=False)
    return answers


def _touched(answer: list[Any]) -> Touched:
    nonce, counter, differences, missing, listed = answer
    found = _rows(differences, 4)
    return Touched(
        Seen(
            nonce.decode(),
            int(counter),
            [
                Difference(int(user), name, intern(state), intern(former))
                for user, name, state, former in found
            ],
            None
            if listed is None
            else {int(user): (name, intern(state)) for user, name, state in _rows(listed, 3)},
        ),
        [lease.decode() for lease in missing],
    )


def _rows(flat: bytes, width: int) -> list[list[str]]:
    texts: list[str] = from_json(flat) if flat else []
    return [texts[at : at + width] for at in range(0, len(texts), width)]
