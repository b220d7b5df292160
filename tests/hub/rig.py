"""The real log, hub and sockets in one process, with every read of the database under control.

Stands for a server without its network: a `Tab` is a client behind a real `Connection`, and what
commits announce is kept in `hints` until the test delivers it. All in the test's own transaction.
"""

import asyncio
import json
import secrets
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from types import SimpleNamespace
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
from realtime.protocol.errors import RealtimeError, Unavailable
from realtime.security.identity import Authenticated, Identity
from realtime.sockets import catching_up, writer
from realtime.sockets.connection import Connection
from realtime.sockets.writer import AsgiWriter

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


@dataclass(eq=False)
class Read:
    """A call of the database that the loop waits for."""

    call: Callable[[], Any]
    answer: "asyncio.Future[Any]"
    result: Any = None
    error: RealtimeError | None = None
    taken: bool = False


class Gate:
    """In place of `in_database`: `step` first takes a read's snapshot, then gives its answer.

    Both happen outside the loop, where Django's connection is the test's own. While `down`, what
    is taken fails.
    """

    def __init__(self) -> None:
        self.free = True
        self.down = False
        self._waiting: list[Read] = []

    async def __call__(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        answer = asyncio.get_running_loop().create_future()
        self._waiting.append(Read(partial(function, *args, **kwargs), answer))
        return await answer

    def step(self, number: int) -> None:
        if self._waiting:
            read = self._waiting[number % len(self._waiting)]
            if read.taken:
                self._waiting.remove(read)
                self._give(read)
            else:
                self._take(read)

    def flow(self) -> bool:
        """Answer everything that waits, if reads are free; whether there was anything."""
        waiting = self._waiting if self.free else []
        self._waiting = [] if self.free else self._waiting
        for read in waiting:
            if not read.taken:
                self._take(read)
            self._give(read)
        return bool(waiting)

    def _take(self, read: Read) -> None:
        read.taken = True
        if self.down:
            read.error = Unavailable("expected the database to answer, got none")
            return
        try:
            read.result = read.call()
        except RealtimeError as error:
            read.error = error

    def _give(self, read: Read) -> None:
        if read.answer.done():
            return  # whoever asked was cancelled
        if read.error is not None:
            read.answer.set_exception(read.error)
        else:
            read.answer.set_result(read.result)


@dataclass
class Truth:
    """What was committed: the frames of each epoch, by seq from 1."""

    frames: dict[str, list[bytes]] = field(default_factory=dict)


class Tab:
    """A client of one stream. Every frame is checked against the truth as it comes."""

    def __init__(self, rig: "Rig") -> None:
        self._rig = rig
        self.epoch = ""
        self.cursor = 0
        self.subscribed = False
        self.asked = 0  # the id of the subscribe that waits for its reply
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._last_id = 0
        self._asked_since: dict[int, bool] = {}
        self.connection = self._connect()

    def _connect(self) -> Connection:
        user = SimpleNamespace(pk=self._rig.user_id, is_authenticated=True)
        number = self._rig.connected = self._rig.connected + 1

        async def send(message: dict[str, Any]) -> None:
            await self._flowing.wait()
            if number != self._number or message["type"] != "websocket.send":
                return
            try:
                self._take(message["text"])
            except AssertionError as error:  # the writer takes any error for a peer that is gone
                self._rig.hub.failures.append(error)

        def again() -> Identity:
            raise AssertionError("expected no epoch to end a credential here")

        self._number = number
        return Connection(
            Authenticated(Identity(user, "key.1", None, again), 0), self._rig.hub, AsgiWriter(send)
        )

    # What it does

    def subscribe(self, *, resume: bool) -> None:
        """With its position where it has one and is to resume."""
        self._last_id += 1
        self.asked = self._last_id
        command: dict[str, Any] = {"id": self.asked, "cmd": "subscribe", "stream": self._rig.name}
        self._asked_since[self.asked] = resume = resume and bool(self.epoch)
        if resume:
            command["since"] = {"epoch": self.epoch, "seq": self.cursor}
        self.connection.receive_nowait(json.dumps(command))

    def reconnect(self) -> None:
        """The socket ends, what it was still to be sent with it; another one resumes."""
        self.connection.end_subscriptions()
        self.connection = self._connect()
        self.subscribed = False
        self._flowing.set()
        self.subscribe(resume=True)

    def lag(self) -> None:
        """Stop or go on taking frames."""
        if self._flowing.is_set():
            self._flowing.clear()
        else:
            self._flowing.set()

    def go_on(self) -> None:
        self._flowing.set()

    # What it is sent

    def _take(self, text: str) -> None:
        frame = json.loads(text)
        if "reply" in frame:
            self._replied(frame)
        elif frame["type"] == "stream_reset":
            assert self.subscribed, "expected no reset without a subscription"
            self.subscribed = False
        else:
            assert self.subscribed, f"expected nothing outside a subscription, got {text}"
            assert frame["seq"] == self.cursor + 1, f"expected #{self.cursor + 1}, got {text}"
            committed = self._rig.truth.frames[self.epoch]
            assert frame["seq"] <= len(committed), f"expected a committed event, got {text}"
            assert text.encode() == committed[frame["seq"] - 1], "expected the text of the log"
            self.cursor += 1

    def _replied(self, frame: dict[str, Any]) -> None:
        if not frame["ok"]:
            assert frame["error"]["temporary"], frame
            if frame["reply"] == self.asked:
                self.asked = 0
            return
        data = frame["data"]
        if not self._asked_since[frame["reply"]] or not data["recovered"]:
            self.epoch, self.cursor = data["epoch"], data["head"]
        else:
            assert data["epoch"] == self.epoch
            assert data["replay"] == data["head"] - self.cursor
        self.subscribed = True
        if frame["reply"] == self.asked:
            self.asked = 0


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
