"""The connections of this node that follow one stream, as presence sees them."""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Protocol

from realtime.presence.roster import Roster
from realtime.presence.store import CHUNK, Registration, Touch

SETTLES_WITHIN_S = 30.0  # a subscribe that did not end well by then never will


class Member(Protocol):
    """What is used of a connection."""

    id: str

    @property
    def user_id(self) -> int: ...

    @property
    def identity(self) -> Any: ...

    @property
    def subscriptions(self) -> Mapping[str, Any]: ...


class Tab:
    """A connection in a stream. `told` is the state that the store has, None when it has none.

    Until it is `settled` its subscribe is still under way.
    """

    __slots__ = ("connection", "settled", "since", "state", "told")

    def __init__(self, connection: Member) -> None:
        self.connection = connection
        self.state = "online"
        self.since = time.monotonic()
        self.settled = False
        self.told: str | None = None

    def gone(self, stream: str, now: float) -> bool:
        """Whether the connection, perhaps closed, does not follow the stream any more."""
        if stream in self.connection.subscriptions:
            return False
        return self.settled or now - self.since > SETTLES_WITHIN_S

    @property
    def lease(self) -> str:
        return f"{self.connection.user_id}:{self.connection.id}"

    def registration(self, now: float) -> Registration:
        connection = self.connection
        age_ms = round((now - self.since) * 1000)
        return Registration(
            connection.user_id, connection.identity.name, connection.id, self.state, age_ms
        )


@dataclass(frozen=True, slots=True)
class Step:
    """A touch and the tabs whose states it carries, as they were then."""

    room: "Room"
    touch: Touch
    told: list[tuple[Tab, str]]


@dataclass(slots=True)
class Room:
    """`untold`: the tabs whose state the store does not have yet, those that wait longest first.

    `released`: leases to be shortened by the next step; lost ones run out by themselves.
    `renewable`: those that the store has, CHUNK of them in each text; None when they have changed.
    `looked`: what `release_gone` was told when everybody was found to be here.
    """

    name: str
    tabs: dict[str, Tab] = field(default_factory=dict)
    roster: Roster = field(default_factory=Roster)
    untold: dict[str, Tab] = field(default_factory=dict)
    released: list[str] = field(default_factory=list)
    renewable: list[str] | None = None
    looked: object = None

    @property
    def listed(self) -> bytes | None:
        """Who is here as far as this node knows, as JSON."""
        return self.roster.as_json() if self.roster.known else None

    def tab_of(self, connection: Member) -> Tab:
        """The connection's tab, made if need be."""
        tab = self.tabs.get(connection.id)
        if tab is None:
            tab = self.tabs[connection.id] = self.untold[connection.id] = Tab(connection)
            self.looked = None
            if tab.lease in self.released:
                self.released.remove(tab.lease)
        return tab

    def change(self, tab: Tab, state: str) -> None:
        """The tab says how it is now."""
        if state != tab.state:
            tab.state, tab.since = state, time.monotonic()
            self.untold[tab.connection.id] = tab
            self.renewable = None

    def told(self, tab: Tab, state: str) -> None:
        """The store has this state of the tab, which may have changed or gone since."""
        tab.told = state
        self.renewable = None
        # The connection may have come anew meanwhile: that tab is still to be told of.
        if tab.state == state and self.untold.get(tab.connection.id) is tab:
            del self.untold[tab.connection.id]

    def _unknown(self, tab: Tab) -> None:
        """The store has nothing of the tab."""
        tab.told = None
        self.untold[tab.connection.id] = tab
        self.renewable = None

    def release_gone(self, now: float, turnover: object = None) -> None:
        """Let go of the tabs that do not follow the stream any more. `turnover` is another one
        whenever somebody has left the stream, None where nobody knows: a room that nobody has left
        is not gone through."""
        if turnover is not None and turnover == self.looked:
            return
        for tab in [tab for tab in self.tabs.values() if tab.gone(self.name, now)]:
            self.release(tab)
        settled = all(tab.settled for tab in self.tabs.values())
        self.looked = turnover if settled else None

    def release(self, tab: Tab) -> None:
        del self.tabs[tab.connection.id]
        self.renewable = None
        self.untold.pop(tab.connection.id, None)
        self.released.append(tab.lease)

    def steps(self, *, renewing: bool, most: int | None = None) -> Iterator[Step]:
        """What there is to tell, in steps of bounded size; one at least, which sweeps.

        At most `most` registrations; the others stay untold.
        """
        now = time.monotonic()
        fresh = list(islice(self.untold.values(), most))
        held = self._renewable() if renewing else []
        released, self.released = self.released, []
        longest = max(len(fresh), len(held) * CHUNK, len(released), 1)
        for number, start in enumerate(range(0, longest, CHUNK)):
            part = slice(start, start + CHUNK)
            # The first brings the roster level, the others' differences follow upon its. Where
            # another node's came between, the next round's first step finds out.
            touch = Touch(
                self.name,
                self.roster.nonce,
                self.roster.counter if start == 0 else None,
                [tab.registration(now) for tab in fresh[part]],
                held[number : number + 1],
                released[part],
            )
            yield Step(self, touch, [(tab, tab.state) for tab in fresh[part]])

    def _renewable(self) -> list[str]:
        if self.renewable is None:
            leases = [tab.lease for tab in self.tabs.values() if tab.told == tab.state]
            starts = range(0, len(leases), CHUNK)
            self.renewable = [" ".join(leases[start : start + CHUNK]) for start in starts]
        return self.renewable

    def forget(self, *, but: list[tuple[Tab, str]]) -> None:
        """The store began anew: everybody must be registered again, except those just told."""
        kept = {id(tab) for tab, _ in but}
        for tab in self.tabs.values():
            if id(tab) not in kept:
                self._unknown(tab)

    def lacks(self, leases: list[str]) -> None:
        if not leases:
            return
        wanted = set(leases)
        for tab in self.tabs.values():
            if tab.lease in wanted:
                self._unknown(tab)
