"""What everybody may know: the states of the parts, and nothing else. Synchronous.

No numbers, no texts of findings (they hold numbers, addresses, names), no processes, no people.
"""

import time
from dataclasses import dataclass
from datetime import timedelta

from django.db import DatabaseError
from django.db.models.functions import Now

from realtime.backends.postgresql.patience import patience
from realtime.components import State, components
from status.models import Board

KEPT_S = 2.0  # however many ask, the database is read this often
LIMIT_S = 2.0
UNHELD_S = 30.0  # nobody looks: what stands on the board is old
_DATABASE = "database"


@dataclass(frozen=True, slots=True)
class PublicPart:
    label: str
    state: State


@dataclass(frozen=True, slots=True)
class PublicView:
    state: State
    parts: tuple[PublicPart, ...]


_kept: tuple[float, PublicView] | None = None


def public_view() -> PublicView:
    """At most KEPT_S old. A database that does not answer is a finding like another."""
    global _kept  # one view per process, replaced as a whole
    now = time.monotonic()
    if _kept is None or now - _kept[0] >= KEPT_S:
        _kept = now, _read()
    return _kept[1]


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
        return _view(State.DOWN, {_DATABASE: State.DOWN})
    if not found:
        return _view(State.UNKNOWN, {})
    parts = {name: State(state) for name, state in found["parts"].items()}
    return _view(State(found["state"]), parts)


def _view(state: State, states: dict[str, State]) -> PublicView:
    """Of all parts that are known; those that do not apply here were never found."""
    parts = tuple(
        PublicPart(one.label, states[name]) for name, one in components().items() if name in states
    )
    return PublicView(state, parts)
