"""How often each may within a window of time: a bound of one process, without a store."""

import time
from collections.abc import Hashable
from math import ceil

MOST_COUNTED = (
    100_000  # of those who are counted at a time; above it the oldest window is forgotten
)


class Allowance:
    """A window begins with the first use in it. Used in one event loop."""

    def __init__(self, window_s: float) -> None:
        self._window_s = window_s
        self._windows: dict[Hashable, tuple[float, int]] = {}  # (begin, uses), the oldest first

    def use(self, who: Hashable, most: int) -> int:
        """Count a use; milliseconds to wait where there were `most` already, which counts none."""
        now = time.monotonic()
        self._forget_old(now)
        began, uses = self._windows.get(who, (now, 0))
        if uses >= most:
            return max(1, ceil((began + self._window_s - now) * 1000))
        self._windows[who] = (began, uses + 1)
        return 0

    def _forget_old(self, now: float) -> None:
        while self._windows:
            oldest = next(iter(self._windows))
            fresh = self._windows[oldest][0] + self._window_s > now
            if fresh and len(self._windows) <= MOST_COUNTED:
                return
            del self._windows[oldest]
