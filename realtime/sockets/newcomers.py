"""Sockets that came without credentials and have still to say who they are.

They cost what a socket costs before it is handed over (about 35 KB), so there are few of them, and
not for long.
"""

import asyncio
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from realtime.conf import options

WITHIN_S = 5.0
AT_ONCE = 500
UNKNOWN = (
    "?"  # an address that the server does not tell, as behind a Unix socket: not counted apart
)


class Newcomers:
    """Used in one event loop. No timers: the node's sweep, once a second, ends their patience."""

    def __init__(self) -> None:
        self._until: dict[asyncio.Timeout, float] = {}
        self._addresses: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._until)

    @property
    def full(self) -> bool:
        return len(self) >= AT_ONCE

    def has_many_of(self, address: str) -> bool:
        """Whether one address has all the places that it may have."""
        most = options().websocket_newcomers_per_address
        return address != UNKNOWN and self._addresses[address] >= most

    @contextmanager
    def counted(self, patience: asyncio.Timeout, now: float, address: str) -> Iterator[None]:
        """While the body waits inside `patience`, an `asyncio.timeout(None)`; `now` is the loop's
        time. The body's TimeoutError comes 5 to 6 s later."""
        self._until[patience] = now + WITHIN_S
        self._addresses[address] += 1
        try:
            yield
        finally:
            self._until.pop(patience, None)
            self._addresses[address] -= 1
            if not self._addresses[address]:
                del self._addresses[address]

    def sweep(self, now: float) -> None:
        """To be called once a second, with the loop's time."""
        due = [patience for patience, until in self._until.items() if until <= now]
        for patience in due:
            del self._until[patience]
            patience.reschedule(0.0)  # long past: at once
