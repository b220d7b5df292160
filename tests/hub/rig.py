"""The real log, hub and sockets in one process, with every read of the database under control.

Stands for a server without its network: a `Tab` is a client behind a real `Connection`, and what
commits announce is kept in `hints` until the test delivers it. All in the test's own transaction.
"""

import asyncio
import secrets
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import pytest
from django.db import transaction
from django.test import TestCase

from realtime import database, publisher, registry
from realtime.database import in_database
from realtime.hub import reading, ring
from realtime.hub import stream as stream_module
from realtime.hub.hub import Hub
from realtime.log.entries import Entry, EventDraft
from realtime.log.reading import entries_after, stream_state
from realtime.log.writing import publish, publish_many
from realtime.models import Event, Installation, Stream
from realtime.protocol.errors import RealtimeError
from realtime.sockets import catching_up, writer
from tests.hub.gate import Gate
from tests.hub.tab import Tab

SPINS = 20  # turns of the loop between two rounds of answers
ROUNDS = 20
SETTLING_ROUNDS = 6
RING_ENTRIES = 6
PAGE_ENTRIES = 3


def _small_pages(stream_id: int, seq: int, *, limit: int = PAGE_ENTRIES) -> list[Entry]:
    return entries_after(stream_id, seq, limit=limit)


class CheckedHub(Hub):
    """Keeps what its tasks failed with."""

    def __init__(self) -> None:
        super().__init__()
        self.failures: list[BaseException] = []

    def _ended(self, task: "asyncio.Task[Any]") -> None:
        super()._ended(task)
        error = None if task.cancelled() else task.exception()
        if error is not None and not (isinstance(error, RealtimeError) and error.temporary):
            self.failures.append(error)


@dataclass
class Truth:
    """What was committed: the frames of each epoch, by seq from 1."""

    frames: dict[str, list[bytes]] = field(default_factory=dict)


class Rig:
    """One stream of the log, the hub, and tabs; `close` it."""

    def __init__(self, user_id: int, patch: pytest.MonkeyPatch) -> None:
        self.user_id = user_id
        self.name = f"user.{user_id}"
        Installation.objects.get_or_create(pk=1)
        self.row = Stream.objects.create(name=self.name)
        self.truth = Truth()
        self.hints: list[tuple[str, list[Entry]]] = []
        self.tabs: list[Tab] = []
        self.connected = 0
        self.gate = Gate()
        self.loop = asyncio.new_event_loop()
        self.numbers = 0
        for module in [*sys.modules.values()]:
            if getattr(module, "in_database", None) is in_database and module is not database:
                patch.setattr(module, "in_database", self.gate)
        patch.setattr(registry, "may_read", lambda user, name: True)
        patch.setattr(registry, "snapshot_of", lambda user, name: {})
        # Small, so that a few events are a wide gap, several pages, and more than a socket takes.
        for module in (ring, stream_module):
            patch.setattr(module, "MAX_ENTRIES", RING_ENTRIES)
        patch.setattr(reading, "entries_after", _small_pages)
        patch.setattr(writer, "LAGGING_BYTES", 300)
        patch.setattr(writer, "RESUME_BYTES", 100)
        patch.setattr(stream_module, "GAP_WAIT_S", 0)
        patch.setattr(catching_up, "RETRY_S", 0)
        publisher.attach_local_hub(
            lambda name, epoch, entries: self.hints.append((epoch, list(entries))),
            lambda name, after, frame: None,
        )
        self.hub = self.run(self._made())
        self.truth.frames[self.state.epoch] = []

    async def _made(self) -> CheckedHub:
        return CheckedHub()

    def run(self, work: Any) -> Any:
        return self.loop.run_until_complete(work)

    def act(self, what: Callable[..., Any], **fields: Any) -> Any:
        """Call it inside the loop."""

        async def call() -> Any:
            return what(**fields)

        return self.run(call())

    def spin(self) -> None:
        """Let the loop turn, and free reads be answered, a little."""
        for _ in range(ROUNDS):
            self._turn()
            if not self.gate.flow():
                break
        assert not self.hub.failures, self.hub.failures

    def _turn(self) -> None:
        async def turn() -> None:
            for _ in range(SPINS):
                await asyncio.sleep(0)

        self.run(turn())

    def close(self) -> None:
        async def end() -> None:
            for tab in self.tabs:
                tab.go_on()
                await tab.connection.finish()
            await self.hub.stop()
            others = asyncio.all_tasks() - {asyncio.current_task()}
            for task in others:
                task.cancel()
            await asyncio.gather(*others, return_exceptions=True)

        self.run(end())
        self.loop.close()

    # The log

    @property
    def state(self) -> Any:
        return stream_state(self.name)

    def commit(self, count: int) -> None:
        """So many events in one transaction."""
        with self._committing(), transaction.atomic():
            publish_many(self.name, [self._draft() for _ in range(count)])

    def commit_around_a_rollback(self) -> None:
        """Of three events the middle one is taken back by its savepoint."""
        with self._committing(), transaction.atomic():
            publish(self.name, self._draft())
            self._roll_back()
            publish(self.name, self._draft())

    def roll_back(self) -> None:
        """An event that never was; its seq will be another one's."""
        with self._committing():
            self._roll_back()

    def _roll_back(self) -> None:
        with suppress(ZeroDivisionError), transaction.atomic():
            publish(self.name, self._draft())
            raise ZeroDivisionError

    def _committing(self) -> Any:
        return TestCase.captureOnCommitCallbacks(execute=True)

    def _draft(self) -> EventDraft:
        self.numbers += 1
        return EventDraft("system_notification", {"kind": "test", "text": f"n{self.numbers}"})

    def trim(self, count: int) -> None:
        """As retention does it: the oldest events go, and the row says so."""
        state = self.state
        floor = min(state.head, state.floor + count)
        with transaction.atomic():
            Event.objects.filter(stream=self.row, seq__lte=floor).delete()
            Stream.objects.filter(pk=self.row.pk).update(floor=floor)

    def lose_tail(self, count: int) -> None:
        """As a restored backup: another epoch, and the last seqs will be given again."""
        state = self.state
        head = max(state.floor, state.head - count)
        with transaction.atomic():
            Event.objects.filter(stream=self.row, seq__gt=head).delete()
            Stream.objects.filter(pk=self.row.pk).update(head=head, epoch=secrets.token_hex(3))
        self.truth.frames[self.state.epoch] = self.truth.frames[state.epoch][:head]

    def remember(self) -> None:
        """Take what was committed into the truth; frames never change."""
        state = self.state
        known = self.truth.frames[state.epoch]
        rows = Event.objects.filter(stream=self.row, seq__gt=len(known)).order_by("seq")
        for row in rows:
            assert row.seq == len(known) + 1, f"expected #{len(known) + 1}, got #{row.seq}"
            known.append(bytes(row.frame))
        assert len(known) == state.head

    # Hints

    def arrive(self, hint: tuple[str, Sequence[Entry]]) -> None:
        epoch, entries = hint
        self.loop.call_soon(self.hub.arrive, self.name, epoch, entries)

    def check(self) -> None:
        """The position check of every open stream."""
        streams = [stream for stream in self.hub.streams.values() if stream.epoch]
        if streams:
            self.loop.call_soon(lambda: self.hub.spawn(self.hub._check(streams)))

    # The end

    def settle(self) -> None:
        """Everything works again; lost hints are found, and who lost its subscription asks anew."""
        self.gate.down, self.gate.free = False, True
        for tab in self.tabs:
            tab.go_on()
        for _ in range(SETTLING_ROUNDS):
            self.check()
            self.spin()
            for tab in self.tabs:
                if not tab.subscribed and not tab.asked:
                    self.act(tab.subscribe, resume=True)
            self.spin()
            if all(map(self.level, self.tabs)):
                return

    def level(self, tab: Tab) -> bool:
        state = self.state
        return tab.subscribed and (tab.epoch, tab.cursor) == (state.epoch, state.head)
