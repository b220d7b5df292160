"""The node's side of incidents: what it noticed reaches the table, also when the database is away.

Whoever notices calls `down`, `attempt` or `up`, which never wait. One task brings the table to what
was said last, and tries again while the database is away: what came and went meanwhile was no
incident that anybody can act on.
"""

import asyncio
import logging
import random
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import stamina

from realtime import incidents
from realtime.database import in_database
from realtime.protocol.errors import RealtimeError, Unavailable

RENEW_EVERY_S = 15.0
SETTLE_S = 3.0  # so long a part must answer before its incident ends: one that flaps is one
RETRY_WAIT_S = (1.0, 15.0)

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class _Part:
    """What is believed of a part, and what the table has been told."""

    code: str = ""
    text: str = ""
    detail: dict[str, Any] | None = None
    is_down: bool = False
    up_at: float = 0.0
    up_text: str = ""
    attempt: str | None = None
    told_down: bool = False
    told_attempt: bool = False


class IncidentReporter:
    """`run` is its task. Made and used in one event loop."""

    def __init__(self, node: str) -> None:
        self._node = node
        self._parts: dict[str, _Part] = {}
        self._wake = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    def down(
        self, part: str, *, code: str, text: str, detail: dict[str, Any] | None = None
    ) -> None:
        """The part does not answer this node."""
        known = self._parts.setdefault(part, _Part())
        known.code, known.text, known.detail, known.is_down = code, text, detail, True
        self._wake.set()

    def attempt(self, part: str, text: str) -> None:
        """This node tries to get the part back; only the first attempt of an incident is told."""
        known = self._parts.get(part)
        if known is not None and known.attempt is None:
            known.attempt = text
            self._wake.set()

    def up(self, part: str, text: str) -> None:
        """The part answers this node again."""
        known = self._parts.get(part)
        if known is not None and known.is_down:
            known.is_down, known.up_text = False, text
            known.up_at = self._loop.time()
            self._loop.call_later(SETTLE_S + 0.01, self._wake.set)

    async def run(self) -> None:
        """The reporting task; it ends with the process."""
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(random.uniform(0.7, 1.0) * RENEW_EVERY_S):
                    await self._wake.wait()
            try:
                async for trial in stamina.retry_context(
                    on=Unavailable,
                    attempts=None,
                    timeout=None,
                    wait_initial=RETRY_WAIT_S[0],
                    wait_max=RETRY_WAIT_S[1],
                ):
                    with trial:
                        self._wake.clear()
                        await self._tell()
            except RealtimeError as error:
                logger.warning("incident not told: %s", error.message)
            except Exception:
                # A named top-level loop: without it no later incident would be told.
                logger.exception("incident not told")

    async def _tell(self) -> None:
        """Bring the table to what is believed. Raises Unavailable."""
        for name, part in list(self._parts.items()):
            if part.is_down or self._loop.time() < part.up_at + SETTLE_S:
                await self._tell_down(name, part)
            else:
                del self._parts[name]
                if part.told_down:
                    await self._tell_up(name, part)
        if await in_database(incidents.any_reports):
            await in_database(incidents.end_abandoned, text="the nodes that missed it are gone")

    async def _tell_down(self, name: str, part: _Part) -> None:
        if part.told_down:
            part.told_down = await in_database(incidents.renew_report, name, self._node)
        if not part.told_down:
            told = (part.code, part.text, part.detail)
            await in_database(
                incidents.open_incident,
                name,
                self._node,
                code=told[0],
                text=told[1],
                detail=told[2],
            )
            part.told_down = True
        if part.attempt is not None and not part.told_attempt:
            await in_database(incidents.note_attempt, name, self._node, text=part.attempt)
            part.told_attempt = True

    async def _tell_up(self, name: str, part: _Part) -> None:
        try:
            await in_database(incidents.close_incident, name, self._node, text=part.up_text)
        except RealtimeError:
            self._parts.setdefault(name, part)  # told later, unless it is down again already
            raise
