"""Hints from the event loop of a hub: without a thread, without a task for each.

What the loop does for one is to pack it and to write it; the answer is counted as it arrives.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from realtime.breaker import BreakerOpen
from realtime.hints.joining import joined
from realtime.protocol.streams import group_of
from realtime.tracing.traces import traces

if TYPE_CHECKING:
    from realtime.publisher import Publisher

TURN_LIMIT = 500  # announcements: the loop has sockets to serve as well

Marks = Sequence[Sequence[Any]]


def mark(stream: str, message: dict[str, Any]) -> Marks:
    """Say in the hint which of its events are followed; these."""
    followed = traces()
    if followed is None:
        return ()
    if marks := followed.hinted(stream, message):
        message["trace"] = marks
    return marks


class Outlet:
    """`layer` has `group_send_nowait`, which limits how long a call may take: see
    `realtime.layer.channel_layer`."""

    def __init__(
        self,
        publisher: "Publisher",
        layer: Any,
        loop: asyncio.AbstractEventLoop,
        origin: Callable[[], str],
    ) -> None:
        self._publisher = publisher
        self._layer = layer
        self._loop = loop
        self._origin = origin
        self._woken = False
        self._unanswered = 0  # of the turn that is under way
        self._closed = False

    def wake(self) -> bool:
        """From any thread; False when the loop has ended."""
        if self._woken:
            return True  # what was queued before this is taken by the turn to come
        self._woken = True
        try:
            self._loop.call_soon_threadsafe(self._turn)
        except RuntimeError:
            self.close()
            return False
        return True

    def _turn(self) -> None:
        self._woken = False
        if self._closed:
            return
        gathered = self._publisher.begin(TURN_LIMIT)
        if not gathered:
            return
        messages = joined(gathered, self._origin())
        self._unanswered = len(messages) + 1
        for stream, message in messages:
            self._send(stream, message)
        self._settle()

    def _send(self, stream: str, message: dict[str, Any]) -> None:
        breaker = self._publisher.breaker
        try:
            period = breaker.admit()
        except BreakerOpen as error:
            self._publisher.note_lost(stream, error)
            self._settle()
            return
        told = partial(self._told, stream, mark(stream, message), time.time(), period)
        try:
            self._layer.group_send_nowait(group_of(stream), message, told)
        except Exception as error:  # noqa: BLE001 - the layer may fail in any way; a hint may be lost
            told(error)

    def _told(
        self, stream: str, marks: Marks, began: float, period: int, error: Exception | None
    ) -> None:
        self._publisher.breaker.settle(period, failed=error is not None)
        if error is None:
            self._publisher.note_sent(stream, marks, began)
        else:
            self._publisher.note_lost(stream, error)
        self._settle()

    def _settle(self) -> None:
        """One less to wait for; after the last, what gathered meanwhile has its turn."""
        if self._unanswered:
            self._unanswered -= 1
            if not self._unanswered:
                self._publisher.end()

    def close(self) -> None:
        """What waits is left to the publisher's thread; in the loop, or when it has ended."""
        if self._closed:
            return
        self._closed = True
        publisher = self._publisher
        if publisher.outlet is self:
            publisher.outlet = None
        if self._unanswered:
            self._unanswered = 0
            publisher.end()
        elif publisher.queued:
            publisher.wake()
