"""Signals: ephemeral frames of a stream, which skip the log."""

from collections.abc import Callable
from typing import Any

from django.utils import timezone

from realtime import publisher
from realtime.log.writing import family_enabled
from realtime.metrics.core import SIGNALS
from realtime.protocol.catalogue import Durability, declared_type
from realtime.protocol.frames import parsed_object, signal_frame, signal_start
from realtime.protocol.streams import StreamName

Listener = Callable[[str, dict[str, Any]], None]
_listeners: dict[str, tuple[bytes, Listener]] = {}


def signal(stream: str, name: str, data: dict[str, Any], *, after: int) -> None:
    """Send a signal to the stream's present readers, at most once; it is never replayed.

    `after` is the newest seq that the writer knew of the stream: a hub that has not got that far
    heals first, so that a signal never arrives before the event it is about.
    Never waits. Raises UndeclaredEvent.
    """
    frame = _frame(stream, name, data)
    if frame is not None:
        publisher.announce_signal(stream, after, frame)


def signal_here(stream: str, name: str, data: dict[str, Any], *, after: int) -> None:
    """As `signal`, to the readers of this node alone: for what every node makes by itself."""
    frame = _frame(stream, name, data)
    if frame is not None:
        publisher.announce_signal_here(stream, after, frame)


def _frame(stream: str, name: str, data: dict[str, Any]) -> bytes | None:
    """None where the operator does not want signals of this family."""
    declared = declared_type(name, StreamName.parse(stream).kind, Durability.SIGNAL)
    if not family_enabled(declared.family):
        return None
    SIGNALS.add(name)
    return signal_frame(name, stream, timezone.now(), declared.encodable(data))


def register_listener(name: str, listener: Listener) -> None:
    """`listener(stream, data)` hears every signal `name` of the streams that are open here,
    whichever node made it. Called in the node's event loop; must not wait."""
    _listeners[name] = (signal_start(name), listener)


def heard(stream: str, frame: bytes) -> None:
    """A signal has come to this node. Only those that somebody listens to are decoded."""
    for start, listener in _listeners.values():
        if frame.startswith(start):
            listener(stream, parsed_object(frame)["data"])
