"""The hub: which streams are open in this process, and what reaches them."""

import asyncio
import logging
import random
import time
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, TypeVar

from realtime import publisher
from realtime.hub.ahead import Ahead
from realtime.hub.health import LayerHealth
from realtime.hub.probe import PROBE, LayerProbe
from realtime.hub.reading import LogReader
from realtime.hub.relay import Relay
from realtime.hub.stream import HubStream
from realtime.hub.watch import LayerWatch
from realtime.log.entries import Entry
from realtime.log.reading import QUERY_KEYS, StreamState
from realtime.log.signalling import heard
from realtime.protocol.errors import RealtimeError
from realtime.tracing.traces import note_heard

KEEP_OPEN_S = 60.0
CHECK_EVERY_S = 3.5  # and at most one POLL_EVERY_S more
POLL_EVERY_S = 0.5
HINT_GRACE_S = 1.0
# SUBSCRIBE is not in force yet when group_add returns: look again shortly after.
CHECKS_AFTER_JOINING_S = (0.2, 1.0)
# The position check looks at each row more often: whoever resumes from memory trusts hints no more
# than those who are live do.
FRESH_S = 5.0

Result = TypeVar("Result")

logger = logging.getLogger(__name__)


class Hub:
    """Made and used in one event loop; `start` begins its tasks, `stop` ends them."""

    def __init__(self) -> None:
        self.streams: dict[str, HubStream] = {}
        self.ahead = Ahead()
        self._groups: dict[str, set[HubStream]] = {}  # the open streams of each group
        self.reader = LogReader()
        self.layer = LayerHealth()
        self._probe = LayerProbe()
        self.relay = Relay(self.on_message, self._on_joined, self._probe.groups)
        self.watch = LayerWatch(self.layer, self._probe, self.relay, self.check_all)
        self.unknown_messages = 0
        self._allowed: dict[str, Callable[[dict[str, Any]], None]] = {PROBE: self._probe.on_message}
        self._settled: set[str] = set()  # groups looked after, as above, since they were joined
        self._settling: dict[str, asyncio.Task[None]] = {}
        self._rechecking: set[str] = set()
        self._unlooked: list[HubStream] = []  # opened by rows read before
        self._opening: dict[str, asyncio.Task[HubStream]] = {}
        self._tasks: set[asyncio.Task[Any]] = set()
        self._loop = asyncio.get_running_loop()
        self._spawn = self.spawn  # one bound method for all streams

    # Life

    def start(self) -> None:
        publisher.attach_local_hub(self._local_events, self._local_signal, self._loop)
        for forever in (
            self.relay.receive(),
            self.relay.reconcile(),
            self._check_positions(),
            self.watch.run(),
        ):
            self.spawn(forever)

    async def stop(self) -> None:
        await publisher.publisher().drained()
        publisher.detach_local_hub()
        tasks = [task for task in self._tasks if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def spawn(self, work: Coroutine[Any, Any, Result]) -> "asyncio.Task[Result]":
        """A task that is kept alive, and whose failure is logged."""
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: "asyncio.Task[Any]") -> None:
        self._tasks.discard(task)
        if task.cancelled() or (error := task.exception()) is None:
            return
        if isinstance(error, RealtimeError) and error.temporary:
            logger.warning("put off: %s", error.message)  # the position check asks again
        else:
            logger.error("a task of the hub failed", exc_info=error)

    # Streams

    async def open(self, name: str) -> HubStream:
        """The stream, level with the log as of now or later. Raises NotFound, Unavailable."""
        stream = self.streams.get(name)
        if stream is not None and stream.epoch:
            stream.touch()  # whoever asks is about to follow it
            return stream
        task = self._opening.get(name)
        if task is None:
            task = self._opening[name] = self._loop.create_task(self._open(name))
            task.add_done_callback(lambda _: self._opening.pop(name, None))
        return await asyncio.shield(task)

    async def _open(self, name: str) -> HubStream:
        stream = self.streams[name] = HubStream(name, self.reader, self._spawn)
        try:
            await stream.open()
        except BaseException:
            del self.streams[name]
            raise
        self._join_group(stream)
        return stream

    def open_personal(self, row: StreamState, user_id: int, read_at: float) -> HubStream | None:
        """A person's own stream without a read of its own, from the row that was read with their
        credentials; None while somebody else is just opening it.

        A hint that came between that reading and this finds nobody here: all who came so are
        looked after together, a moment later.
        """
        if row.name in self._opening:
            return None
        stream = self.streams.get(row.name)
        if stream is not None:
            stream.touch()
            return stream
        stream = self.streams[row.name] = HubStream(row.name, self.reader, self._spawn)
        stream.open_as(row, user_id, read_at)
        self._join_group(stream)
        if not self._unlooked:
            self.spawn(self._look_after_opening())
        self._unlooked.append(stream)
        return stream

    async def _look_after_opening(self) -> None:
        """What cannot be looked at now is found by the position check.

        A hint that nobody here could hear is no fault of the layer, so it does not count as one.
        """
        await asyncio.sleep(CHECKS_AFTER_JOINING_S[0])
        unlooked, self._unlooked = self._unlooked, []
        now = time.monotonic()
        noted = {stream.id: (stream, stream.noted(now)) for stream in unlooked}
        for state in await self.reader.states(noted):
            stream, before = noted[state.id]
            stream.announced = max(stream.announced, state.head)
            stream.check(state, before)

    def _join_group(self, stream: HubStream) -> None:
        self._groups.setdefault(stream.group, set()).add(stream)
        self.relay.want(stream.group)

    def close_idle(self) -> None:
        """Forget streams that nobody has followed for a while, and what crowds have shared."""
        limit = time.monotonic() - KEEP_OPEN_S
        for name, stream in list(self.streams.items()):
            stream.ring.let_go()
            if stream.left_at is None:
                continue  # as nearly all
            idle_since = stream.idle_since
            if stream.epoch and idle_since is not None and idle_since < limit:
                del self.streams[name]
                self._leave_group(stream)

    def _leave_group(self, stream: HubStream) -> None:
        others = self._groups[stream.group]
        others.discard(stream)
        if not others:
            del self._groups[stream.group]
            self._settled.discard(stream.group)
            if (settling := self._settling.pop(stream.group, None)) is not None:
                settling.cancel()
            self.relay.leave(stream.group)

    # Arriving

    def allow(self, kind: str, handler: Callable[[dict[str, Any]], None]) -> None:
        """Accept one more type of message from the channel layer; `handler` must not wait."""
        self._allowed[kind] = handler

    def on_message(self, message: dict[str, Any]) -> None:
        """A message of a group. Types are an allow-list; anything else is counted and dropped."""
        kind = message.get("type")
        if kind == publisher.HINT_EVENTS:
            if (marks := message.get("trace")) and message["stream"] in self.streams:
                note_heard(message["stream"], marks)
            entries = [Entry(*e) for e in message["entries"]]
            self.arrive(message["stream"], message["epoch"], entries, message.get("at"))
        elif kind == publisher.HINT_SIGNALS:
            if message["origin"] != publisher.origin():
                for after, frame in message["signals"]:
                    self.signal(message["stream"], after, frame)
        elif (handler := self._allowed.get(str(kind))) is not None:
            handler(message)
        else:
            self.unknown_messages += 1

    def arrive(
        self, name: str, epoch: str, entries: Sequence[Entry], committed_at: float | None = None
    ) -> None:
        """committed_at: when the first of them was, by the clock of whoever did it, if known."""
        stream = self.streams.get(name)
        if stream is None or stream.arrive(epoch, entries, committed_at):
            return
        if name in self._rechecking:
            return
        self._rechecking.add(name)  # one look at the row, however many hints of another epoch come
        checking = self.spawn(self._check([stream]))
        checking.add_done_callback(lambda _: self._rechecking.discard(name))

    def signal(self, name: str, after: int, frame: bytes) -> None:
        stream = self.streams.get(name)
        if stream is not None and stream.epoch:
            heard(name, frame)
            stream.signal(after, [frame])

    def _local_events(self, name: str, epoch: str, entries: Sequence[Entry]) -> None:
        """From any thread of this process, directly after the commit."""
        self._loop.call_soon_threadsafe(self.arrive, name, epoch, entries, time.time())

    def _local_signal(self, name: str, after: int, frame: bytes) -> None:
        self._loop.call_soon_threadsafe(self.signal, name, after, frame)

    # Positions

    async def _check_positions(self) -> None:
        """The floor under everything: whatever no hint announced is found here."""
        checked_at = time.monotonic()
        failing = False
        while True:
            await asyncio.sleep(POLL_EVERY_S)
            due = time.monotonic() - checked_at >= CHECK_EVERY_S
            everything = due or self.layer.polling
            if not everything and not self.relay.polled:
                continue  # as nearly always: nothing is gone through then
            joined = self.relay.joined
            streams = [
                s
                for s in self.streams.values()
                if s.epoch and (everything or s.group not in joined)
            ]
            if due:
                checked_at = time.monotonic()
                self.close_idle()
            if not streams:
                continue
            try:
                await self._check(streams)
                failing = False
            except RealtimeError as error:
                if not failing:
                    logger.warning("positions not checked: %s", error.message)
                failing = True
            except Exception:
                # A named top-level loop: if it ended, a lost hint would never be found.
                logger.exception("positions not checked")

    async def check_all(self) -> None:
        """Look at the rows of all open streams now. Raises Unavailable."""
        if streams := [stream for stream in self.streams.values() if stream.epoch]:
            await self._check(streams)

    async def level(self, stream: HubStream) -> bool:
        """Whether the stream is level with the log as of now; looks at its row if need be.

        Hints bring a joined stream level within milliseconds, and the position check finds what
        they lost, as it does for those who are live: who resumes from memory costs no read. Raises
        Unavailable.
        """
        hears = (
            not self.layer.polling
            and stream.group in self.relay.joined
            and stream.group in self._settled
        )
        if hears and time.monotonic() - stream.checked_at < FRESH_S:
            return True
        return await stream.level()

    async def recheck(self, stream: HubStream) -> None:
        """Look at the stream's row now: somebody saw another epoch. Raises Unavailable."""
        await self._check([stream])

    async def _check(self, streams: Sequence[HubStream]) -> None:
        """In slices: there is a stream for every person here. Raises Unavailable."""
        for start in range(0, len(streams), QUERY_KEYS):
            await self._check_slice(streams[start : start + QUERY_KEYS])

    async def _check_slice(self, streams: Sequence[HubStream]) -> None:
        now = time.monotonic()
        noted = {stream.id: (stream, stream.noted(now)) for stream in streams}
        known = {stream.id: stream.standing for stream in streams}
        moved = await self.reader.moved(known)
        for stream in streams:
            if stream.id not in moved.gone:
                stream.checked_at = now
        for state in moved.states:
            stream, before = noted[state.id]
            stream.check(state, before)
            if state.head > stream.announced and stream.group in self.relay.joined:
                self._loop.call_later(HINT_GRACE_S, self._confirm_unannounced, stream, state)

    def _confirm_unannounced(self, stream: HubStream, state: StreamState) -> None:
        """A hint may just be slower than the look at the row: it had a second more."""
        if stream.epoch == state.epoch and stream.announced < state.head:
            stream.announced = state.head
            self.layer.heal()

    def _on_joined(self, group: str) -> None:
        self._settled.discard(group)
        if (former := self._settling.pop(group, None)) is not None:
            former.cancel()
        self._settling[group] = self.spawn(self._check_after_joining(group))

    async def _check_after_joining(self, group: str) -> None:
        waited = 0.0
        for after_s in CHECKS_AFTER_JOINING_S:
            await asyncio.sleep(after_s - waited)
            waited = after_s
            await self._look_at(group)
        self._settled.add(group)

    async def _look_at(self, group: str) -> None:
        """Read the rows of the group's open streams; while the database is away, again later."""
        while streams := [stream for stream in self._groups.get(group, ()) if stream.epoch]:
            try:
                await self._check(streams)
            except RealtimeError as error:
                logger.debug("joined group not looked at: %s", error.message)
                await asyncio.sleep(random.uniform(0.5, 1.0) * CHECK_EVERY_S)
            else:
                return
