"""Replay: one task of a socket reads the log for those of its streams that are behind.

Round-robin over the streams, a page at a time, and the next page only when the socket has taken
most of the last one: memory is bounded however much was missed.
"""

import asyncio
import logging
import random
from collections import deque

from realtime.hub.reading import LogReader
from realtime.hub.subscription import Subscription, SubscriptionState
from realtime.protocol.errors import Unavailable
from realtime.sockets.writer import Writer

RETRY_S = 1.0

logger = logging.getLogger(__name__)


class CatchUp:
    """`add` what is behind; it goes live by itself when it is level."""

    __slots__ = ("_behind", "_reader", "_task", "_writer")

    def __init__(self, writer: Writer, reader: LogReader) -> None:
        self._writer = writer
        self._reader = reader
        self._behind: deque[Subscription] = deque()
        self._task: asyncio.Task[None] | None = None

    def add(self, subscription: Subscription) -> None:
        if subscription in self._behind:
            return
        self._behind.append(subscription)
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._run())

    def stop(self) -> None:
        self._behind.clear()
        if self._task is not None:
            self._task.cancel()

    async def _run(self) -> None:
        while self._behind:
            await self._writer.drained()
            if self._writer.closed:
                return
            subscription = self._behind.popleft()
            if subscription.state is not SubscriptionState.CATCHING_UP or subscription.go_live():
                continue
            try:
                await self._write_page(subscription)
            except Unavailable as error:
                logger.debug("catching up waits: %s", error.message)
                await asyncio.sleep(random.uniform(0.5, 1.0) * RETRY_S)
            except Exception:
                # A named top-level loop: if it ended, this socket's streams would stand still.
                logger.exception("catching up failed stream=%s", subscription.stream.name)
                await asyncio.sleep(random.uniform(0.5, 1.0) * RETRY_S)
            if not subscription.go_live() and subscription.state is SubscriptionState.CATCHING_UP:
                self._behind.append(subscription)

    async def _write_page(self, subscription: Subscription) -> None:
        """From the ring where it reaches back far enough, else from the log."""
        stream = subscription.stream
        entries = stream.ring.after(subscription.cursor)
        if not entries:
            cursor = subscription.cursor
            entries = await self._reader.page(stream.id, stream.epoch, cursor)
            if subscription.state is not SubscriptionState.CATCHING_UP:
                return
        if not subscription.take_page(entries):
            await self._reset(subscription)

    async def _reset(self, subscription: Subscription) -> None:
        """Trimmed below, or the tail was lost: either way the position means nothing now."""
        stream, cursor = subscription.stream, subscription.cursor
        states = await self._reader.states([stream.id])
        trimmed = bool(states) and states[0].epoch == stream.epoch and cursor < states[0].floor
        subscription.reset("trimmed" if trimmed else "epoch")
