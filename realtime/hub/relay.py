"""From the channel layer to the hub: one channel of the process, in the groups of its open streams.

Nothing waits for Redis here but the relay's own tasks: a subscribe only says what is wanted, and a
stream whose group could not be joined is polled. The layer reconnects by itself, but nobody can ask
it whether its subscriptions are in force: the probe finds out, and `rebuild` begins anew.
"""

import asyncio
import logging
import random
from collections.abc import Callable, Sequence
from typing import Any

from channels.layers import get_channel_layer

# A new connection takes five round trips: less would keep a slow network's nodes out for ever.
LAYER_TIMEOUT_S = 4.0
RETRY_S = 1.0

logger = logging.getLogger(__name__)


class Relay:
    """`on_message` gets each message of a group; `on_joined` hears of each group joined.

    `own_groups` are joined before all others and kept: the probe comes back through them.
    """

    def __init__(
        self,
        on_message: Callable[[dict[str, Any]], None],
        on_joined: Callable[[str], None],
        own_groups: Sequence[str] = (),
    ) -> None:
        self.joined: set[str] = set()
        self._wanted: set[str] = set()
        self._on_message = on_message
        self._on_joined = on_joined
        self._wake = asyncio.Event()
        self._own_groups = own_groups
        self._own_joined = False
        self._channel: str | None = None
        self._taking: asyncio.Task[None] | None = None
        self._failing = False

    def want(self, name: str) -> None:
        self._wanted.add(name)
        self._wake.set()

    def leave(self, name: str) -> None:
        self._wanted.discard(name)
        self._wake.set()

    @property
    def polled(self) -> bool:
        """Whether some stream that is followed here gets no hints."""
        return bool(self._wanted - self.joined)

    async def receive(self) -> None:
        """The receiving task; it ends with the process."""
        layer = get_channel_layer()
        while True:
            try:
                if self._channel is None:
                    async with asyncio.timeout(LAYER_TIMEOUT_S):
                        self._channel = await layer.new_channel("relay.")
                    self._wake.set()
                await self._take_all(layer, self._channel)
            except Exception as error:  # noqa: BLE001 - a named top-level loop: it logs and goes on
                self._say("receive", error)
                await asyncio.sleep(random.uniform(0.5, 1.0) * RETRY_S)

    async def _take_all(self, layer: Any, channel: str) -> None:
        """Until the layer fails or `rebuild` ends it."""
        taking = self._taking = asyncio.ensure_future(self._take(layer, channel))
        try:
            await asyncio.wait({taking})
        finally:
            taking.cancel()
            await asyncio.wait({taking}, timeout=LAYER_TIMEOUT_S)
        if not taking.cancelled() and (error := taking.exception()) is not None:
            raise error

    async def _take(self, layer: Any, channel: str) -> None:
        while True:
            self._on_message(await layer.receive(channel))

    async def rebuild(self) -> None:
        """Let go of all connections and subscriptions of the layer, and join everything again.

        For a relay that hears nothing although Redis takes messages. Nothing is raised: what could
        not be let go of in time is tried again by the next call.
        """
        self._channel = None
        self._own_joined = False
        self.joined.clear()
        await self._within_limit("rebuild", get_channel_layer().flush())
        # Only now: a cancelled receive unsubscribes, without a limit, unless all is flushed.
        if self._taking is not None:
            self._taking.cancel()
        self._wake.set()

    async def reconcile(self) -> None:
        """The joining and leaving task; it ends with the process."""
        layer = get_channel_layer()
        while True:
            failed = self._channel is None or not await self._step(layer)
            try:
                timeout_s = random.uniform(0.5, 1.0) * RETRY_S if failed else None
                async with asyncio.timeout(timeout_s):
                    await self._wake.wait()
            except TimeoutError:
                continue
            self._wake.clear()

    async def _step(self, layer: Any) -> bool:
        """Join and leave what differs; False when the layer did not do it in time."""
        if not self._own_joined and not await self._join_own(layer):
            return False
        for name in sorted(self._wanted - self.joined):
            if not await self._join(layer, name):
                return False
            self.joined.add(name)
            self._on_joined(name)
        for name in sorted(self.joined - self._wanted):
            self.joined.discard(name)
            if not await self._within_limit("leave", layer.group_discard(name, self._channel)):
                return False
        return True

    async def _join_own(self, layer: Any) -> bool:
        for name in self._own_groups:
            if not await self._join(layer, name):
                return False
        self._own_joined = True
        return True

    async def _join(self, layer: Any, name: str) -> bool:
        """False also when `rebuild` came in between: then this joined what is gone already."""
        channel = self._channel
        joined = await self._within_limit("join", layer.group_add(name, channel))
        return joined and channel is not None and channel == self._channel

    async def _within_limit(self, what: str, call: Any) -> bool:
        try:
            async with asyncio.timeout(LAYER_TIMEOUT_S):
                await call
        except Exception as error:  # noqa: BLE001 - the layer may fail in any way; streams are polled
            self._say(what, error)
            return False
        self._failing = False
        return True

    def _say(self, what: str, error: Exception) -> None:
        """One line when the layer stops answering, not one per attempt."""
        if not self._failing:
            logger.warning("channel layer does not answer doing=%s error=%r", what, error)
        self._failing = True
