"""From the channel layer to the hub: one channel of the process, in the group of each open stream.

Nothing waits for Redis here but these two tasks: a subscribe only says what is wanted, and a
stream whose group could not be joined is polled.
"""

import asyncio
import logging
import random
from collections.abc import Callable
from typing import Any

from channels.layers import get_channel_layer

LAYER_TIMEOUT_S = 1.0
RETRY_S = 1.0

logger = logging.getLogger(__name__)


class Relay:
    """`on_message` gets each message of a group; `on_joined` hears of each stream joined."""

    def __init__(
        self, on_message: Callable[[dict[str, Any]], None], on_joined: Callable[[str], None]
    ) -> None:
        self.joined: set[str] = set()
        self._wanted: set[str] = set()
        self._on_message = on_message
        self._on_joined = on_joined
        self._wake = asyncio.Event()
        self._channel: str | None = None
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
                self._on_message(await layer.receive(self._channel))
            except Exception as error:  # noqa: BLE001 - a named top-level loop: it logs and goes on
                self._say("receive", error)
                await asyncio.sleep(random.uniform(0.5, 1.0) * RETRY_S)

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
        for name in sorted(self._wanted - self.joined):
            if not await self._within_limit("join", layer.group_add(name, self._channel)):
                return False
            self.joined.add(name)
            self._on_joined(name)
        for name in sorted(self.joined - self._wanted):
            self.joined.discard(name)
            if not await self._within_limit("leave", layer.group_discard(name, self._channel)):
                return False
        return True

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
