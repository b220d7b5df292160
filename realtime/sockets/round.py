"""One round of the sweep: what is the same for all sockets that it comes to."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from django.utils import timezone

from realtime.conf import options
from realtime.hub.subscription import Subscription, SubscriptionState
from realtime.protocol.batch import Batch
from realtime.protocol.frames import heartbeat_frame
from realtime.sockets.liveness import pings_within


class Round:
    """`now` is the loop's time, `moment` the clock's. A round lasts for a slice of the sockets:
    what it keeps must still hold for the last one."""

    __slots__ = (
        "_beats",
        "_positions",
        "heartbeat_interval_s",
        "moment",
        "now",
        "pings",
        "slow_timeout_s",
    )

    def __init__(self, now: float, positions: Callable[[Iterable[str]], dict[str, Any]]) -> None:
        """`positions` says of presence in streams what a heartbeat tells."""
        self.now = now
        self.moment = timezone.now()
        self.heartbeat_interval_s = options().websocket_heartbeat_interval
        self.slow_timeout_s = options().websocket_slow_timeout
        self.pings = pings_within(options().websocket_connection_timeout)
        self._positions = positions
        self._beats: dict[tuple[tuple[str, int], ...], Batch] = {}

    def heartbeat(self, subscriptions: Mapping[str, Subscription]) -> Batch:
        """The heartbeat of a socket with these subscriptions: those that stand alike share it."""
        heads = {
            name: subscription.cursor
            for name, subscription in subscriptions.items()
            if subscription.state is SubscriptionState.LIVE
        }
        if len(heads) < len(subscriptions):
            return self._made(heads, subscriptions)  # catching up, as none of the others is
        alike = tuple(heads.items())
        beat = self._beats.get(alike)
        if beat is None:
            beat = self._beats[alike] = self._made(heads, subscriptions)
        return beat

    def _made(self, heads: dict[str, int], streams: Iterable[str]) -> Batch:
        return Batch([heartbeat_frame(self.moment, heads, self._positions(streams))])
