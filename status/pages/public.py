"""What everybody may know: the states of the parts, and nothing else. Synchronous.

No numbers, no texts of findings (they hold numbers, addresses, names), no processes, no people.
"""

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from django.db import DatabaseError
from django.db.models.functions import Now

from realtime.backends.postgresql.patience import patience
from realtime.components import State, components
from status.alone import DATABASE, Outage
from status.models import Board
from status.running import process_monitor

KEPT_S = 2.0  # however many ask, the database is read this often
LIMIT_S = 2.0
UNHELD_S = 30.0  # nobody looks: what stands on the board is old


@dataclass(frozen=True, slots=True)
class PublicPart:
    label: str
    state: State


@dataclass(frozen=True, slots=True)
class PublicView:
    state: State
    parts: tuple[PublicPart, ...]


_kept: tuple[float, PublicView] | None = None
_reading = threading.Lock()


def public_view() -> PublicView:
    """At most KEPT_S old, but for those who ask while somebody reads. A database that does not
    answer is a finding like another; while this process knows it to be away, it is not asked."""
    global _kept  # one view per process, replaced as a whole
    monitor = process_monitor()
    outage = monitor.alone.outage if monitor is not None else None
    if outage is not None:
        return alone_view(outage)
    now = time.monotonic()
    kept = _kept
    if kept is None:
        _reading.acquire()
    elif now - kept[0] < KEPT_S or not _reading.acquire(blocking=False):
        return kept[1]
    try:
        view = _read()
        _kept = now, view
    finally:
        _reading.release()
    return view


def alone_view(outage: Outage | None) -> PublicView:
    """Without a database: what this process sees by itself."""
    parts = dict(outage.parts) if outage is not None else {}
    return _view(State.DOWN, {**parts, DATABASE: State.DOWN})


def forget() -> None:
    """The next one who asks reads the board."""
    global _kept
    _kept = None


def _read() -> PublicView:
    try:
        with patience(LIMIT_S):
            held = Board.objects.filter(until__gte=Now() - timedelta(seconds=UNHELD_S))
            found = held.values_list("view", flat=True).first()
    except DatabaseError:
        return alone_view(None)
    if not found:
        return _view(State.UNKNOWN, {})
    parts = {name: State(state) for name, state in found["parts"].items()}
    return _view(State(found["state"]), parts)


def _view(state: State, states: Mapping[str, State]) -> PublicView:
    """Of all parts that are known; those that do not apply here were never found."""
    parts = tuple(
        PublicPart(one.label, states[name]) for name, one in components().items() if name in states
    )
    return PublicView(state, parts)
