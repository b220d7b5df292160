"""One round of the sweep: what is the same for all sockets that it comes to."""

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from django.utils import timezone

from realtime.conf import options
from realtime.hub.subscription import Subscription, SubscriptionState
from realtime.protocol.batch import Batch
from realtime.protocol.frames import heartbeat_frame
from realtime.sockets.liveness import pings_within

if TYPE_CHECKING:
    from realtime.sockets.connection import Connection


class Round:
    """`now` is the loop's time, `moment` the clock's. A round lasts for a slice of the sockets:
    what it keeps must still hold for the last one. `waiting` are those for whose peers something
    waited. `began` is when its sweep did, the same for all
    slices, and `former` when the sweep before it did."""

    __slots__ = (
        "_beats",
        "_began",
        "_former",
        "_interval_s",
        "_positions",
        "moment",
        "now",
        "pings",
        "slow_timeout_s",
        "waiting",
    )

    def __init__(
        self,
        now: float,
        positions: Callable[[Iterable[str]], dict[str, Any]],
        *,
        began: float,
        former: float,
    ) -> None:
        """`positions` says of presence in streams what a heartbeat tells."""
        self.now = now
        self.moment = timezone.now()
        self._began, self._former = began, former
        self._interval_s = options().websocket_heartbeat_interval
        self.slow_timeout_s = options().websocket_slow_timeout
        self.pings = pings_within(options().websocket_connection_timeout)
        self._positions = positions
        self.waiting: list[Connection] = []
        self._beats: dict[tuple[tuple[str, int], ...], Batch] = {}

    def beats(self, opened_at: float) -> bool:
        """Whether a heartbeat of the socket became due since the former sweep. Nothing is kept of
        the last one: the intervals count from `opened_at`."""
        open_s = self._began - opened_at
        if open_s < self._interval_s:
            return False
        return open_s // self._interval_s > (self._former - opened_at) // self._interval_s

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
