"""What this node believes of the channel layer, and since when. Pure: no I/O, no tasks.

    live ──two missed probes in a row, or two heals nobody announced──> polling
    polling ──three good probes in a row, few such heals, all heads checked──> live

Polling means: the heads of all open streams are read every 500 ms, whatever the layer says.
"""

import time
from collections import deque
from collections.abc import Callable
from enum import StrEnum

from django.utils import timezone

MISSES_LIMIT = 2  # in a row
HEALS_LIMIT = 2  # within HEALS_WITHIN_S
HEALS_WITHIN_S = 30.0
GOOD_TO_RETURN = 3  # in a row


class LayerState(StrEnum):
    LIVE = "live"  # hints arrive; heads are checked every 4 s
    POLLING = "polling"  # hints may not arrive; heads are checked every 500 ms


class LayerHealth:
    """`reason` is why the node polls: `silent`, `unannounced`, or None. Counters are for status."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.state = LayerState.LIVE
        self.since = timezone.now()
        self.reason: str | None = None
        self.missed = 0
        self.unannounced = 0
        self.turns = 0  # how often the node turned to polling
        self.rebuilds = 0
        self._clock = clock
        self._misses = 0  # in a row
        self._good = GOOD_TO_RETURN  # in a row; a node starts in good faith
        self._heals: deque[float] = deque(maxlen=HEALS_LIMIT)

    @property
    def polling(self) -> bool:
        return self.state is LayerState.POLLING

    @property
    def missing(self) -> bool:
        """Whether the newest probe was missed."""
        return self._misses > 0

    def miss(self) -> None:
        """A probe was not heard in time."""
        self.missed += 1
        self._misses += 1
        self._good = 0
        if self._misses >= MISSES_LIMIT:
            self._turn(LayerState.POLLING, "silent")

    def good(self) -> None:
        """A probe came back through every shard."""
        self._misses = 0
        self._good += 1

    def heal(self) -> None:
        """An event was found by reading heads, and no hint of it came within a second.

        While probes are missed this is no news: then every event of another node is found so.
        """
        if self._good < GOOD_TO_RETURN:
            return
        self.unannounced += 1
        self._heals.append(self._clock())
        if self._healing_often:
            self._turn(LayerState.POLLING, "unannounced")

    @property
    def _healing_often(self) -> bool:
        return len(self._heals) == HEALS_LIMIT and self._clock() - self._heals[0] <= HEALS_WITHIN_S

    @property
    def may_return(self) -> bool:
        """Whether polling may end once all heads have been checked."""
        return self.polling and self._good >= GOOD_TO_RETURN and not self._healing_often

    def restore(self) -> None:
        """All heads were checked after the third good probe."""
        if self.may_return:
            self._turn(LayerState.LIVE, None)

    def _turn(self, state: LayerState, reason: str | None) -> None:
        if state is self.state:
            return
        self.state, self.reason, self.since = state, reason, timezone.now()
        self.turns += state is LayerState.POLLING
