"""Presence as one node keeps it: its tabs' leases, its rosters, and what it says of differences.

Nothing here is durable, and no command waits more than 50 ms for it: with the store away the
answer is None, and the next round that succeeds registers everybody.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Iterable, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any

from realtime.log.signalling import signal
from realtime.presence.rooms import Member, Room, Step
from realtime.presence.roster import Difference
from realtime.presence.store import PresenceStore, Touched
from realtime.protocol.errors import Unavailable
from realtime.shared.store import BACKGROUND_LIMIT_S, COMMAND_LIMIT_S

if TYPE_CHECKING:
    from realtime.hub.hub import Hub

SWEEP_EVERY_S = 2.0
RENEW_EVERY_ROUNDS = 2
ROOMS_AT_ONCE = 50
# On the path of commands, of all rooms together: about 10 ms of the store's time.
REGISTERED_AT_ONCE = 100
# Differences told per stream and second, times the people who hear of each. Above it they are not
# told one by one: the counter jumps, and clients ask for the list.
DELIVERIES_PER_S = 5_000
MOST_TOLD_PER_S = 250  # also where hardly anybody is left to hear of it
TOLD_IN_A_TURN = 20  # of the event loop: one telling takes it about 0.1 ms
# Of those who come to one stream within a second the first are told of at once, unless one look at
# the store brought more; the others together: each telling is a write to everybody there.
TOLD_AT_ONCE = 5
GATHER_DIFFERENCES_S = (0.25, 1.0)
GATHERED_PEOPLE = 500  # in a room of so many the longer time, in smaller ones in proportion

logger = logging.getLogger(__name__)


class Presence:
    """One per node, in its event loop; `store` None where there is no shared store."""

    def __init__(self, hub: "Hub", store: PresenceStore | None) -> None:
        self._hub = hub
        self._store = store
        self._rooms: dict[str, Room] = {}
        self._asked: dict[str, list[asyncio.Future[bool]]] = {}
        self._answering: asyncio.Task[None] | None = None
        # One at a time: a node that tells two things at once does not follow its own differences,
        # and is sent whole lists.
        self._touching = asyncio.Lock()
        self._took_s = 0.0  # the store, when last asked by a round
        self._late = False  # somebody is being told that the store takes longer than they may wait
        self._told: dict[str, int] = {}  # differences told in this second, by stream
        self._told_in = 0
        self._gathered: dict[
            str, list[tuple[str, dict[str, Any]]]
        ] = {}  # to be told together, by stream
        self._outbox: deque[tuple[str, str, dict[str, Any]]] = deque()  # to be told now
        self._telling = False  # in this turn of the loop or the next

    # What sockets use

    async def join(self, connection: Member, stream: str) -> bytes | None:
        """The connection follows the stream from now on; who is here, itself included, as JSON."""
        if self._store is None:
            return None
        self._room(stream).tab_of(connection)
        return await self.here(stream)

    def _room(self, stream: str) -> Room:
        room = self._rooms.get(stream)
        if room is None:
            room = self._rooms[stream] = Room(stream)
        return room

    def settle(self, connection: Member, stream: str) -> None:
        """The subscription stands: from now on its end is the tab's."""
        room = self._rooms.get(stream)
        tab = room.tabs.get(connection.id) if room is not None else None
        if tab is not None:
            tab.settled = True

    async def tell(self, connection: Member, stream: str, state: str | None) -> bytes | None:
        """Who is here, as JSON, after the tab has said how it is (online, hidden, busy)."""
        if self._store is None:
            return None
        room = self._room(stream)
        known = connection.id in room.tabs
        tab = room.tab_of(connection)
        tab.settled = tab.settled or not known
        if state is not None:
            room.change(tab, state)
        return await self.here(stream)

    async def here(self, stream: str) -> bytes | None:
        """The list, as JSON, as of now or later; of a store that is slow or busy with a crowd the
        list as it was seen last; None when nothing is known."""
        room = self._rooms[stream]
        if self._late or self._took_s > COMMAND_LIMIT_S:
            return room.listed
        loop = asyncio.get_running_loop()
        future: asyncio.Future[bool] = loop.create_future()
        self._asked.setdefault(stream, []).append(future)
        if self._answering is None or self._answering.done():
            self._answering = self._hub.spawn(self._answer())
        return room.listed if await future else None

    def positions(self, streams: Iterable[str]) -> dict[str, dict[str, Any]]:
        """`{stream: {nonce, counter}}` of those that have presence, for a heartbeat."""
        found = {}
        for stream in streams:
            room = self._rooms.get(stream)
            if room is not None and room.roster.known:
                nonce, counter = room.roster.position
                found[stream] = {"nonce": nonce, "counter": counter}
        return found

    # Rounds

    async def run(self) -> None:
        """The node's task: sweep every 2 s, renew every 4 s; it ends with the node."""
        rounds = 0
        while self._store is not None:
            await asyncio.sleep(SWEEP_EVERY_S)
            rounds += 1
            try:
                await self.round(renewing=rounds % RENEW_EVERY_ROUNDS == 0)
            except Unavailable as error:
                logger.debug("presence waits: %s", error.message)
            except Exception:
                # A named top-level loop: without it leases end, and everybody would seem gone.
                logger.exception("presence not renewed")

    async def round(self, *, renewing: bool) -> None:
        """Raises Unavailable."""
        now = time.monotonic()
        for room in self._rooms.values():
            stream = self._hub.streams.get(room.name)
            turnover = (stream, stream.audience.departures) if stream is not None else None
            room.release_gone(now, turnover)
        names = list(self._rooms)
        for start in range(0, len(names), ROOMS_AT_ONCE):
            part = names[start : start + ROOMS_AT_ONCE]
            await self._touch(part, renewing=renewing)
            await self._touch(self._untold(part), renewing=False)

    async def close(self) -> None:
        """The node stops: its tabs count as closed."""
        for room in self._rooms.values():
            for tab in list(room.tabs.values()):
                room.release(tab)
        try:
            await self._touch(list(self._rooms), renewing=False)
        except Unavailable as error:
            logger.info("presence not released: %s", error.message)

    async def _answer(self) -> None:
        """Whoever asks while a touch is under way is answered by the next one, all together.

        Nobody waits longer than a command may, but what the store was told is waited for: given
        up, it would be told again, and a crowd would never be level.
        """
        self._late = False
        while self._asked:
            asked, self._asked = self._asked, {}
            answered = False
            telling = self._hub.spawn(self._tell_store(list(asked)))
            try:
                await asyncio.wait({telling}, timeout=COMMAND_LIMIT_S)
                self._late = not telling.done()
                answered = self._late or telling.result()
            finally:
                for future in chain.from_iterable(asked.values()):
                    if not future.done():
                        future.set_result(answered)
            if self._late:
                await asyncio.wait({telling})
                self._late = False

    async def _tell_store(self, names: Sequence[str]) -> bool:
        """Tell the store of these rooms, and hear of them; False when it did not answer.

        Of a crowd, those whom the time does not suffice for get a list without themselves; the
        next touch registers them, and the counter tells.
        """
        ends = time.monotonic() + COMMAND_LIMIT_S
        answered = False
        try:
            while names:
                for start in range(0, len(names), ROOMS_AT_ONCE):
                    part = names[start : start + ROOMS_AT_ONCE]
                    most = max(1, REGISTERED_AT_ONCE // len(part))
                    await self._touch(part, renewing=False, most=most)
                answered = True
                names = self._untold(names) if time.monotonic() < ends else []
        except Unavailable as error:
            logger.debug("presence not known: %s", error.message)
        except Exception:
            # A named top-level loop: whoever asked meanwhile would wait for ever.
            logger.exception("presence not told")
        return answered

    def _untold(self, names: Sequence[str]) -> list[str]:
        return [name for name in names if name in self._rooms and self._rooms[name].untold]

    async def _touch(
        self, names: Sequence[str], *, renewing: bool, most: int | None = None
    ) -> None:
        """`most` registrations of each room. Raises Unavailable."""
        if self._store is None or not names:
            return
        async with self._touching:
            rooms = [room for name in names if (room := self._rooms.get(name)) is not None]
            steps = [step for room in rooms for step in room.steps(renewing=renewing, most=most)]
            touches = [step.touch for step in steps]
            began = time.monotonic()
            try:
                touched = await self._store.touch(touches, limit_s=BACKGROUND_LIMIT_S)
            finally:
                if most is None:
                    self._took_s = time.monotonic() - began
            for step, one in zip(steps, touched, strict=True):
                self._saw(step, one)

    def _saw(self, step: Step, touched: Touched) -> None:
        room, seen = step.room, touched.seen
        for tab, state in step.told:
            room.told(tab, state)
        if room.roster.known and seen.nonce != room.roster.nonce:
            room.forget(but=step.told)
        room.lacks(list(touched.missing))
        room.roster.see(seen)
        first = seen.counter - len(seen.differences) + 1
        few = len(seen.differences) <= TOLD_AT_ONCE
        for counter, difference in enumerate(seen.differences, start=first):
            if self._may_tell(room):
                self._tell(room, difference, (seen.nonce, counter), at_once=few)
        if not room.tabs and not room.released and self._rooms.get(room.name) is room:
            del self._rooms[room.name]

    # Differences

    def _may_tell(self, room: Room) -> bool:
        second = int(time.monotonic())
        if second != self._told_in:
            self._told_in = second
            self._told.clear()
        told = self._told.get(room.name, 0)
        self._told[room.name] = told + 1
        deliveries = DELIVERIES_PER_S // max(1, len(room.roster))
        return told < max(1, min(MOST_TOLD_PER_S, deliveries))

    def _tell(
        self, room: Room, difference: Difference, position: tuple[str, int], *, at_once: bool
    ) -> None:
        stream, people = room.name, len(room.roster)
        user = {"id": difference.user_id, "name": difference.name}
        nonce, counter = position
        data = {"user": user, "state": difference.state, "nonce": nonce, "counter": counter}
        told = (difference.signal, data)
        if stream in self._gathered:
            self._gathered[stream].append(told)  # behind the others: counters go up
        elif at_once and self._told[stream] <= TOLD_AT_ONCE:
            self._announce(stream, [told])
        else:
            self._gathered[stream] = [told]
            loop = asyncio.get_running_loop()
            least_s, most_s = GATHER_DIFFERENCES_S
            wait_s = min(most_s, max(least_s, most_s * people / GATHERED_PEOPLE))
            loop.call_later(wait_s, self._announce_gathered, stream)

    def _announce_gathered(self, stream: str) -> None:
        self._announce(stream, self._gathered.pop(stream))

    def _announce(self, stream: str, told: Iterable[tuple[str, dict[str, Any]]]) -> None:
        """In order, and a few in each turn of the loop: thousands who leave a hundred rooms at once
        must not hold up everybody else."""
        self._outbox.extend((stream, name, data) for name, data in told)
        if not self._telling:
            self._telling = True
            self._tell_on()

    def _tell_on(self) -> None:
        if self._outbox:
            asyncio.get_running_loop().call_soon(self._tell_on)
            self._tell_some()
        else:
            self._telling = False

    def _tell_some(self) -> None:
        for _ in range(min(TOLD_IN_A_TURN, len(self._outbox))):
            stream, name, data = self._outbox.popleft()
            followed = self._hub.streams.get(stream)
            after = followed.last if followed is not None and followed.epoch else 0
            signal(stream, name, data, after=after)
