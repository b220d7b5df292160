"""The hub, the sockets and the log together, under any order of what may happen to them.

`test_rules` explores the hub alone over a log in memory; here the log is the database, and clients
are behind real connections: what either assumes of the other is tried too.
"""

import itertools
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests.hub.rig import RING_ENTRIES, Rig
from tests.hub.tab import Tab

MAX_TABS = 4
WIDE_GAP = RING_ENTRIES + 2  # nothing of it is pushed

_users = itertools.count(1_000_000)
NUMBER = st.integers(0, 11)


class ReadPath(RuleBasedStateMachine):
    """Each rule is one occurrence; afterwards the loop turns a little."""

    rig: Rig
    patch: pytest.MonkeyPatch

    @initialize(before=st.integers(0, 5))
    def begin(self, before: int) -> None:
        self.patch = pytest.MonkeyPatch()
        self.rig = Rig(next(_users), self.patch)
        if before:
            self.rig.commit(before)
        self.rig.hints.clear()
        self.rig.remember()
        self._join()
        self.rig.spin()
        self.rig.gate.free = False

    # The log

    @rule(count=st.integers(1, 4))
    def commit(self, count: int) -> None:
        self.rig.commit(count)
        self._committed()

    @rule()
    def commit_by_position(self) -> None:
        """A frame too large for a hint."""
        self.rig.commit(1)
        epoch, entries = self.rig.hints.pop()
        self.rig.hints.append((epoch, [entry._replace(frame=None) for entry in entries]))
        self._committed()

    @rule()
    def commit_around_a_rollback(self) -> None:
        self.rig.commit_around_a_rollback()
        self._committed()

    @rule()
    def roll_back(self) -> None:
        waiting = len(self.rig.hints)
        self.rig.roll_back()
        assert len(self.rig.hints) == waiting, "expected nothing announced"
        self._committed()

    @rule()
    def commit_many_unannounced(self) -> None:
        self.rig.commit(WIDE_GAP)
        self.rig.hints.pop()
        self._committed()

    @rule(count=st.integers(1, 6))
    def trim(self, count: int) -> None:
        self.rig.trim(count)

    @rule(count=st.integers(0, 3))
    def new_epoch(self, count: int) -> None:
        self.rig.lose_tail(count)

    def _committed(self) -> None:
        self.rig.remember()
        self.rig.spin()

    # Hints

    @precondition(lambda self: self.rig.hints)
    @rule(number=NUMBER)
    def deliver(self, number: int) -> None:
        self.rig.arrive(self.rig.hints.pop(number % len(self.rig.hints)))
        self.rig.spin()

    @precondition(lambda self: self.rig.hints)
    @rule(number=NUMBER)
    def duplicate(self, number: int) -> None:
        self.rig.arrive(self.rig.hints[number % len(self.rig.hints)])
        self.rig.spin()

    @precondition(lambda self: self.rig.hints)
    @rule(number=NUMBER)
    def drop(self, number: int) -> None:
        self.rig.hints.pop(number % len(self.rig.hints))

    # Reading

    @rule()
    def check(self) -> None:
        self.rig.check()
        self.rig.spin()

    @rule(number=NUMBER, count=st.integers(1, 4))
    def step(self, number: int, count: int) -> None:
        for _ in range(count):
            self.rig.gate.step(number)
            self.rig.spin()

    @rule()
    def database_away_or_back(self) -> None:
        self.rig.gate.down = not self.rig.gate.down

    # Clients

    @precondition(lambda self: len(self.rig.tabs) < MAX_TABS)
    @rule()
    def join(self) -> None:
        self._join()
        self.rig.spin()

    def _join(self) -> None:
        tab = self.rig.act(Tab, rig=self.rig)
        self.rig.tabs.append(tab)
        self.rig.act(tab.subscribe, resume=False)

    @precondition(lambda self: self.rig.tabs)
    @rule(number=NUMBER)
    def leave(self, number: int) -> None:
        self.rig.tabs.pop(number % len(self.rig.tabs)).connection.end_subscriptions()

    @precondition(lambda self: self.rig.tabs)
    @rule(number=NUMBER)
    def reconnect(self, number: int) -> None:
        self._with(self._tab(number), "reconnect")

    @precondition(lambda self: self.rig.tabs)
    @rule(number=NUMBER)
    def resume(self, number: int) -> None:
        """On the same socket, once the last subscribe has been answered."""
        tab = self._tab(number)
        if not tab.asked and not tab.subscribed:
            self._with(tab, "subscribe", resume=True)

    @precondition(lambda self: self.rig.tabs)
    @rule(number=NUMBER)
    def lag(self, number: int) -> None:
        self._with(self._tab(number), "lag")

    def _tab(self, number: int) -> Tab:
        return self.rig.tabs[number % len(self.rig.tabs)]

    def _with(self, tab: Tab, what: str, **fields: Any) -> None:
        self.rig.act(getattr(tab, what), **fields)
        self.rig.spin()

    # Always, and at the end

    @invariant()
    def no_task_failed(self) -> None:
        if hasattr(self, "rig"):
            assert not self.rig.hub.failures, self.rig.hub.failures

    def teardown(self) -> None:
        """Nobody is left behind, once everything works again."""
        if not hasattr(self, "rig"):
            return
        try:
            self.rig.settle()
            state = self.rig.state
            for tab in self.rig.tabs:
                where = (tab.subscribed, tab.epoch, tab.cursor)
                assert where == (True, state.epoch, state.head)
        finally:
            self.rig.close()
            self.patch.undo()


@pytest.mark.django_db
def test_every_order_keeps_hub_and_log_together() -> None:
    """Each client gets its range once, in order, of one epoch, as committed, up to the head."""
    run_state_machine_as_test(
        ReadPath,
        settings=settings(
            max_examples=60,
            stateful_step_count=30,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            phases=[Phase.explicit, Phase.generate],
        ),
    )
