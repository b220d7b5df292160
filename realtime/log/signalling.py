"""Signals: ephemeral frames of a stream, which skip the log."""

from typing import Any

from django.utils import timezone

from realtime import publisher
from realtime.log.writing import family_enabled
from realtime.protocol.catalogue import Durability, declared_type
from realtime.protocol.frames import signal_frame
from realtime.protocol.streams import StreamName


def signal(stream: str, name: str, data: dict[str, Any], *, after: int) -> None:
    """Send a signal to the stream's present readers, at most once; it is never replayed.

    `after` is the newest seq that the writer knew of the stream: a hub that has not got that far
    heals first, so that a signal never arrives before the event it is about.
    Never waits. Raises UndeclaredEvent.
    """
    declared = declared_type(name, StreamName.parse(stream).kind, Durability.SIGNAL)
    if not family_enabled(declared.family):
        return
    frame = signal_frame(name, stream, timezone.now(), declared.encodable(data))
    publisher.announce_signal(stream, after, frame)
