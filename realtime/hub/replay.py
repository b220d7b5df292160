"""Replay from a stream's ring: what a crowd missed alike is made once for all of it."""

from realtime.hub.subscription import Subscription, SubscriptionState


def replay_from_ring(subscription: Subscription) -> bool:
    """Write all that the subscription misses, in one piece, and have it live; False where that
    takes more than the ring: a page of the log, or a look at whose rights end on the way.

    The sink must be writable. No await lies between the look and the change.
    """
    if subscription.state is not SubscriptionState.CATCHING_UP:
        return False
    missed = subscription.stream.ring.missed(subscription.cursor)
    if missed is None or missed.ends_rights:
        return False
    subscription.cursor = missed.last
    subscription.sink.write_nowait(missed.frames)
    return subscription.go_live()
