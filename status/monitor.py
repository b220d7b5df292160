"""The monitor of one process: looks at its parts, exchanges findings with the others.

Every process looks at itself and says what it finds by the database every 2 s. The node that holds
the board also looks at what is looked at once across the system, makes the view of the whole, and
has rules evaluated. While the database is away each node goes on by itself (`status.alone`), and
rounds for the rules are kept until they can be evaluated.
"""

import asyncio
import logging
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.utils import timezone

from realtime.breaker import BreakerOpen
from realtime.components import Scope, State, components
from realtime.database import DatabaseAway, in_database
from realtime.log.signalling import register_listener
from realtime.protocol.errors import RealtimeError, Unavailable
from status.alerts.ahead import enabled_rules
from status.alerts.evaluating import evaluate
from status.alerts.rounds import WaitingRounds, round_of
from status.alone import DATABASE, Alone
from status.buckets import Buckets
from status.exchange import (
    EXCHANGE_EVERY_S,
    Compose,
    Exchanged,
    MemberView,
    Report,
    exchange,
    leave,
    worker_id,
)
from status.models import MemberKind
from status.samples import store
from status.telling import UPDATE, Teller
from status.upkeep import keep_up
from status.view import View, report_of, view_of
from status.watch import Watch

if TYPE_CHECKING:
    from datetime import datetime

    from realtime.node import Node

LOOK_EVERY_S = 0.5
DATABASE_LIMIT_S = 3.0  # for an exchange: readers hear of a database that hangs within 10 s
LEAVE_LIMIT_S = 1.0
ROUNDS_AT_ONCE = 100  # evaluated before the board's lease is renewed
DUE_SLACK_S = 0.02  # after the moment at which an alert is due
STORE_EVERY_S = 10.0
UPKEEP_EVERY_S = 60.0

logger = logging.getLogger(__name__)


class Monitor:
    """Belongs to one event loop; `node` is None in a worker. `run` is its task.

    `holds` is whether this node holds the board, as of the last exchange; `alone` what it does
    while the database is away.
    """

    def __init__(self, node: "Node | None") -> None:
        self._kind = MemberKind.WORKER if node is None else MemberKind.NODE
        self.id = node.id if node is not None else worker_id()
        scopes = {Scope.PROCESS} if node is None else set(Scope)
        self.watches = {
            name: Watch(component, node, self._found)
            for name, component in components().items()
            if component.scope in scopes
        }
        self.holds = False
        self._teller = Teller(node) if node is not None else None
        if self._teller is not None:
            register_listener(UPDATE, self._teller.heard)
        self._loop = asyncio.get_running_loop()
        self._wake = asyncio.Event()
        self._buckets = Buckets()
        self._rounds = WaitingRounds()
        self._offset = timedelta()  # of the database's clock
        self._others: tuple[MemberView, ...] = ()
        self._board: dict[str, Any] = {}
        self._version = 0
        self._parts: dict[str, str] | None = None  # of the view that was told last
        self._store_at = self._upkeep_at = self._rules_at = 0.0
        self._due_at: datetime | None = None  # of the alert that opens or closes next
        self.alone = Alone(self._teller)

    async def run(self) -> None:
        """The monitor's task; it ends with the process."""
        looking = self._loop.create_task(self._look())
        try:
            while True:
                await self._turn()
                with suppress(TimeoutError):
                    async with asyncio.timeout(self._pause_s()):
                        await self._wake.wait()
                self._wake.clear()
        finally:
            looking.cancel()
            for watch in self.watches.values():
                watch.stop()
            with suppress(RealtimeError, TimeoutError):
                async with asyncio.timeout(LEAVE_LIMIT_S):
                    await in_database(leave, self.id)

    def _pause_s(self) -> float:
        """Until the next turn: an alert that is due does not wait for the usual one."""
        if self._due_at is None or not self.holds:
            return EXCHANGE_EVERY_S
        left_s = (self._due_at - self._now()).total_seconds() + DUE_SLACK_S
        return min(EXCHANGE_EVERY_S, left_s) if left_s > 0 else EXCHANGE_EVERY_S

    async def _turn(self) -> None:
        try:
            async with asyncio.timeout(DATABASE_LIMIT_S):
                await self._exchange()
            self.alone.end()
            await self._write()
        except (DatabaseAway, BreakerOpen, TimeoutError) as error:
            self._go_on_alone(error)
        except RealtimeError as error:
            logger.info("status not exchanged, once more in 2 s: %s", error.message)
        except Exception:
            # A named top-level loop: if it ended, the process would seem dead.
            logger.exception("the status was not exchanged")

    async def check(self) -> dict[str, Any]:
        """Look at everything that is this process's to look at; the health as of then."""
        await asyncio.wait([watch.start() for watch in self.active()])
        view = self._view()
        if not self.holds:
            view = view.over(self._board)
        self._wake.set()
        return {**view.health, "version": self._version}

    # Looking

    def active(self) -> list[Watch]:
        """What is this process's to look at now."""
        return [
            watch
            for watch in self.watches.values()
            if self.holds or watch.component.scope is not Scope.SYSTEM
        ]

    async def _look(self) -> None:
        while True:
            for watch in self.active():
                watch.start_if_due()
            if self.alone.due:
                self._tell_alone()
            await asyncio.sleep(LOOK_EVERY_S)

    def _found(self, watch: Watch, changed: bool) -> None:
        """After each look: into the sums, and a change of a state is told at once."""
        finding = watch.finding
        if finding is not None:
            values = dict(finding.values)
            if finding.state is not State.UNKNOWN:
                values["state"] = float(finding.state.level)
            self._buckets.add(watch.component.name, self._now(), values)
        if changed:
            if self.holds and self.alone.outage is None and self._all_looked:
                self._announce(self._view())
            self._wake.set()

    def _now(self) -> "datetime":
        """By the database's clock, as far as it is known: clocks of machines differ."""
        return timezone.now() + self._offset

    def _report(self, *, system: bool) -> Report:
        return report_of(
            {
                name: watch.finding
                for name, watch in self.watches.items()
                if watch.finding is not None and (watch.component.scope is Scope.SYSTEM) is system
            }
        )

    @property
    def _all_looked(self) -> bool:
        """A new holder begins with nothing, which is no change of anything."""
        return all(watch.looked for watch in self.active())

    def _view(self) -> View:
        """Of the whole, with what this process has found since the last exchange."""
        return self._composer()(self._others)

    def _composer(self) -> Compose:
        """Makes the view of the whole, in any thread, of what was found here by now and of what
        the others say."""
        own = MemberView(self.id, self._kind, self._report(system=False))
        system = self._report(system=True)

        def compose(members: Sequence[MemberView]) -> View:
            others = [member for member in members if member.id != own.id]
            return view_of(components(), [*others, own], system)

        return compose

    # Exchanging

    async def _exchange(self) -> None:
        """Raises Unavailable."""
        began = timezone.now()
        own = self._report(system=False)
        compose = self._composer() if self.holds and self._all_looked else None
        exchanged = await in_database(exchange, self.id, self._kind, own, compose)
        self._offset = exchanged.now - (began + (timezone.now() - began) / 2)
        self._hold(exchanged)
        if self._teller is None:
            return
        if not self.holds:
            if exchanged.view:
                self._teller.board(exchanged.view, exchanged.version)
            return
        if exchanged.written is not None:
            view, version = exchanged.written
            self._announce(view)
            self._version = version
            self._teller.board(view.stored, version)
            self._rounds.add(round_of(view, self._now()))

    def _hold(self, exchanged: Exchanged) -> None:
        if not exchanged.holds:
            self._rounds.clear()  # after an outage the node that takes the board has its own
        if self.holds and not exchanged.holds:
            for watch in self.watches.values():
                if watch.component.scope is Scope.SYSTEM:
                    watch.forget()
        if not self.holds or not exchanged.holds:
            self._parts = exchanged.view.get("parts")
        self.holds = exchanged.holds
        self._others = exchanged.members
        self._board, self._version = exchanged.view, exchanged.version

    def _announce(self, view: View) -> None:
        """Signal the view if it is another one; what stands on the board follows."""
        parts = view.health["parts"]
        if self._teller is not None and parts != self._parts:
            self._parts = parts
            self._teller.changed(view.health, self._version + 1)

    async def _write(self) -> None:
        """What may wait longer: samples, rules, upkeep. Raises Unavailable."""
        now = self._loop.time()
        if now >= self._store_at:
            self._store_at = now + STORE_EVERY_S
            buckets = self._buckets.take(self._now())
            try:
                await in_database(store, self.id, buckets)
            except Unavailable:
                self._buckets.put_back(buckets)
                raise
        for _ in range(ROUNDS_AT_ONCE):
            if not self._rounds or not self.holds:
                break
            self._due_at = (await in_database(evaluate, self._rounds.oldest)).due_at
            self._rounds.drop_oldest()
        else:
            self._wake.set()
        if self._teller is not None and now >= self._rules_at:
            self.alone.rules = await in_database(enabled_rules)
            self._rules_at = now + UPKEEP_EVERY_S
        if self.holds and now >= self._upkeep_at:
            self._upkeep_at = now + UPKEEP_EVERY_S
            await in_database(keep_up)

    def _go_on_alone(self, error: Exception) -> None:
        """The database does not answer."""
        if self.alone.outage is None:
            logger.warning("status not exchanged: %s", error or "the database hangs")
        self.alone.begin(self._now())
        if self.alone.due:
            self._tell_alone()

    def _tell_alone(self) -> None:
        """Every node keeps its rounds: any of them may be the one that takes the board."""
        down = {DATABASE: self.alone.finding}
        own = MemberView(self.id, self._kind, self._report(system=False) | report_of(down))
        view = view_of(components(), [own], self._report(system=True))
        try:
            round_ = self.alone.tell(view.among(self._board.get("parts", ())), self._now())
        except Exception:
            # Called by both top-level loops, which must go on.
            logger.exception("readers were not told of the outage")
            return
        if round_ is not None:
            self._rounds.add(round_)
