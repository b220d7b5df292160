"""The node's watch over the channel layer: asks the probe, turns to polling and back, mends."""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable

from realtime.hub.health import LayerHealth
from realtime.hub.probe import LayerProbe, Outcome
from realtime.hub.relay import Relay
from realtime.protocol.errors import RealtimeError

PROBE_EVERY_S = 1.0
UNHEARD_LIMIT = 2  # in a row, before the relay is rebuilt
REBUILD_WAIT_S = (3.0, 30.0)  # between two rebuilds: the first wait, and the longest

logger = logging.getLogger(__name__)


class LayerWatch:
    """`check_all` reads the heads of all open streams; `on_turn` and `on_attempt` may be set.

    on_turn: called when the node turned to polling or back; on_attempt: when the relay is rebuilt.
    Neither may wait.
    """

    def __init__(
        self,
        health: LayerHealth,
        probe: LayerProbe,
        relay: Relay,
        check_all: Callable[[], Awaitable[None]],
    ) -> None:
        self._health = health
        self._probe = probe
        self._relay = relay
        self._check_all = check_all
        self._unheard = 0
        self._rebuild_at = 0.0
        self._rebuild_wait_s = REBUILD_WAIT_S[0]
        self._turns = 0  # those whose cause was mended as far as this node can

    async def run(self) -> None:
        """The watching task; it ends with the process."""
        if not self._probe.groups:
            return  # one process, nothing between it and itself
        try:
            while True:
                await asyncio.sleep(random.uniform(0.9, 1.0) * PROBE_EVERY_S)
                try:
                    await self._round()
                except RealtimeError as error:
                    logger.info("the layer's return waits: %s", error.message)
                except Exception:
                    # A named top-level loop: without it nobody would notice a dead layer.
                    logger.exception("layer not watched")
        finally:
            await self._probe.close()

    async def _round(self) -> None:
        was_missing, was_polling = self._health.missing, self._health.polling
        outcome = await self._probe.ask()
        if outcome is Outcome.UNKNOWN:
            return
        if outcome is not Outcome.GOOD:
            self._health.miss()
            self._unheard = self._unheard + 1 if outcome is Outcome.UNHEARD else 0
            if self._health.polling and not was_polling:
                logger.warning("channel layer is silent, polling outcome=%s", outcome.name.lower())
            if self._unheard >= UNHEARD_LIMIT:
                await self._rebuild("redis takes messages, the relay hears none")
            return
        self._unheard = 0
        self._health.good()
        if self._health.reason == "unannounced" and self._turns < self._health.turns:
            logger.warning("events arrive without hints, polling")
            await self._rebuild("events arrive without hints")
        self._turns = self._health.turns
        if was_missing or self._health.may_return:
            # What was committed while nothing was heard is found now, not in four seconds.
            await self._check_all()
        if self._health.may_return:
            self._health.restore()
            self._rebuild_wait_s = REBUILD_WAIT_S[0]
            logger.warning("channel layer is back")

    async def _rebuild(self, why: str) -> None:
        """Not more often than every few seconds: joining thousands of groups takes a while."""
        now = asyncio.get_running_loop().time()
        if now < self._rebuild_at:
            return
        self._rebuild_at = now + self._rebuild_wait_s
        self._rebuild_wait_s = min(REBUILD_WAIT_S[1], self._rebuild_wait_s * 2)
        self._unheard = 0
        self._health.rebuilds += 1
        logger.warning("rebuilding the relay why=%s", why)
        await self._relay.rebuild()
