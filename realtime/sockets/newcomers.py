"""Sockets that came without credentials and have still to say who they are.

They cost what a socket costs before it is handed over (about 35 KB), so there are few of them, and
not for long.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

WITHIN_S = 5.0
AT_ONCE = 500


class Newcomers:
    """Used in one event loop. No timers: the node's sweep, once a second, ends their patience."""

    def __init__(self) -> None:
        self._until: dict[asyncio.Timeout, float] = {}

    def __len__(self) -> int:
        return len(self._until)

    @property
    def full(self) -> bool:
        return len(self._until) >= AT_ONCE

    @contextmanager
    def counted(self, patience: asyncio.Timeout, now: float) -> Iterator[None]:
        """While the body waits inside `patience`, an `asyncio.timeout(None)`; `now` is the loop's
        time. The body's TimeoutError comes 5 to 6 s later."""
        self._until[patience] = now + WITHIN_S
        try:
            yield
        finally:
            self._until.pop(patience, None)

    def sweep(self, now: float) -> None:
        """To be called once a second, with the loop's time."""
        due = [patience for patience, until in self._until.items() if until <= now]
        for patience in due:
            del self._until[patience]
            patience.reschedule(0.0)  # long past: at once
