"""How long the other end of a socket may be silent, as both servers' pings are told."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Pings:
    """A ping `interval_s` after the last answer; without an answer within `timeout_s` the end."""

    interval_s: float
    timeout_s: float


def pings_within(connection_timeout_s: float) -> Pings:
    """Pings that end a socket `connection_timeout_s` after its other end was last heard of.

    Half of the time each. A ping as late as the heartbeat would leave 5 of 30 s for the answer,
    which stands in line behind everything that a slow client has still to take.
    """
    half_s = connection_timeout_s / 2
    return Pings(interval_s=half_s, timeout_s=half_s)
