"""How long the other end of a socket may be silent: told to the servers that ping by themselves,
and counted in sweeps where the socket was handed over."""

import math
from dataclasses import dataclass
from functools import cached_property


@dataclass(frozen=True)
class Pings:
    """A ping `interval_s` after the last answer; without an answer within `timeout_s` the end.

    Counts of sweeps are reckoned once: a sweep asks for them at every socket.
    """

    interval_s: float
    timeout_s: float

    @cached_property
    def ping_after(self) -> int:
        """In sweeps, of which there is one a second; the first may follow at once."""
        return math.ceil(self.interval_s) + 1

    @cached_property
    def close_after(self) -> int:
        return max(math.ceil(self.interval_s + self.timeout_s), self.ping_after) + 1


def pings_within(connection_timeout_s: float) -> Pings:
    """Pings that end a socket `connection_timeout_s` after its other end was last heard of.

    Half of the time each. A ping as late as the heartbeat would leave 5 of 30 s for the answer,
    which stands in line behind everything that a slow client has still to take.
    """
    half_s = connection_timeout_s / 2
    return Pings(interval_s=half_s, timeout_s=half_s)
