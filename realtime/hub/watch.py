"""The node's watch over the channel layer: asks the probe, turns to polling and back, mends."""

import asyncio
import logging
import random
import time
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
    """`check_all` reads the heads of all open streams.

    on_turn: called when the node turned to polling (True) or back (False); on_attempt: when it
    tries to get the layer back, with what it does. Neither may wait.
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
        self._told_polling = False
        self.round_trip_ms: float | None = None  # of the newest good probe
        self.on_turn: Callable[[bool], None] | None = None
        self.on_attempt: Callable[[str], None] | None = None

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
        was_missing = self._health.missing
        began = time.perf_counter()
        outcome = await self._probe.ask()
        if outcome is Outcome.UNKNOWN:
            return
        if outcome is Outcome.GOOD:
            self._unheard = 0
            self.round_trip_ms = (time.perf_counter() - began) * 1000
            self._health.good()
        else:
            self._health.miss()
            self._unheard = self._unheard + 1 if outcome is Outcome.UNHEARD else 0
        turned = self._tell_turn(outcome)
        if self._unheard >= UNHEARD_LIMIT:
            await self._rebuild("redis takes messages, the relay hears none")
        elif turned and self._health.reason == "unannounced":
            await self._rebuild("events arrive without hints")
        elif self._health.polling and not turned and self.on_attempt is not None:
            self.on_attempt("connecting again")
        if outcome is Outcome.GOOD:
            await self._return(was_missing)

    def _tell_turn(self, outcome: Outcome) -> bool:
        """Say once that the node polls; whether it turned to it since the last look."""
        if self._told_polling or not self._health.polling:
            return False
        self._told_polling = True
        logger.warning(
            "hints do not arrive, polling reason=%s probe=%s", self._health.reason, outcome.name
        )
        if self.on_turn is not None:
            self.on_turn(True)
        return True

    async def _return(self, was_missing: bool) -> None:
        """Raises Unavailable: then nothing changes, and the next good probe tries again."""
        if was_missing or self._health.may_return:
            # What was committed while nothing was heard is found now, not in four seconds.
            await self._check_all()
        if self._health.may_return:
            self._health.restore()
            self._told_polling = False
            self._rebuild_wait_s = REBUILD_WAIT_S[0]
            logger.warning("channel layer is back")
            if self.on_turn is not None:
                self.on_turn(False)

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
        if self.on_attempt is not None:
            self.on_attempt("subscribing anew")
        await self._relay.rebuild()
