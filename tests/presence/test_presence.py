"""One node's presence: who asks is answered soon or told that nobody knows."""

import asyncio
import json
import time
from collections.abc import Coroutine, Iterator, Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from realtime import publisher
from realtime.presence import presence as presence_module
from realtime.presence.presence import TOLD_IN_A_TURN, Presence
from realtime.presence.rooms import Room, Step
from realtime.presence.roster import Difference, Seen
from realtime.presence.store import PresenceStore, Touch, Touched
from realtime.protocol.errors import Unavailable
from realtime.shared.store import SharedStore
from tests.presence.conftest import Scene

STREAM = "project.1"


class FakeHub:
    """The two things used of a hub: open streams (none) and tasks."""

    def __init__(self) -> None:
        self.streams: dict[str, Any] = {}
        self.tasks: set[asyncio.Task[Any]] = set()

    def spawn(self, work: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        task = asyncio.get_running_loop().create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        return task


class Switched(PresenceStore):
    """The real store; while `away` it answers as a dead one does. Counts the pipelines."""

    away = False
    pipelines = 0

    async def touch(self, touches: Sequence[Touch], *, limit_s: float) -> list[Touched]:
        self.pipelines += 1
        if self.away:
            raise Unavailable("expected the shared store to answer, got none")
        return await super().touch(touches, limit_s=limit_s)


class FakeConnection:
    """What presence uses of a connection; it follows the stream from the start."""

    def __init__(self, user: int, number: int = 0) -> None:
        self.id = f"c{user}-{number}"
        self.user_id = user
        self.identity: Any = SimpleNamespace(name=f"P{user}")
        self.subscriptions: dict[str, Any] = {STREAM: None}


@pytest.fixture(autouse=True)
def unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy machine must not look like a dead store."""
    monkeypatch.setattr(presence_module, "COMMAND_LIMIT_S", 2.0)


def node(shared: SharedStore, **times: int) -> tuple[Presence, Switched]:
    store = Switched(shared, **times)
    return Presence(FakeHub(), store), store  # type: ignore[arg-type]


def told(found: bytes | None) -> dict[str, Any]:
    assert found is not None
    listed: dict[str, Any] = json.loads(found)
    return listed


def ids(found: bytes | None) -> list[int]:
    return [one["user"]["id"] for one in told(found)["users"]]


@pytest.fixture
def signals() -> Iterator[list[dict[str, Any]]]:
    """What the node's own hub would have been given. A fake behind the real seam."""
    heard: list[dict[str, Any]] = []
    publisher.attach_local_hub(
        lambda stream, epoch, entries: None,
        lambda stream, after, frame: heard.append(json.loads(frame)),
    )
    yield heard
    publisher.detach_local_hub()


def test_crowd_is_answered_in_a_few_rounds(play: Scene) -> None:
    """Everybody finds at least themselves, and nobody waits for a pipeline of their own."""

    async def scene(shared: SharedStore) -> None:
        presence, store = node(shared)
        crowd = [FakeConnection(user) for user in range(1, 301)]
        answers = await asyncio.gather(*(presence.join(one, STREAM) for one in crowd))
        assert all(one.user_id in ids(found) for one, found in zip(crowd, answers, strict=True))
        assert store.pipelines <= 4

    play(scene)


def test_long_list_is_cut_and_says_so(play: Scene) -> None:
    async def scene(shared: SharedStore) -> None:
        presence, _ = node(shared)
        crowd = [FakeConnection(user) for user in range(1, 602)]
        found = told((await asyncio.gather(*(presence.join(one, STREAM) for one in crowd)))[-1])
        assert (len(found["users"]), found["cut"]) == (500, True)

    play(scene)


def test_differences_above_the_bound_are_only_counted(
    play: Scene, signals: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(presence_module, "DELIVERIES_PER_S", 20)

    async def scene(shared: SharedStore) -> None:
        presence, _ = node(shared)
        crowd = [FakeConnection(user) for user in range(1, 11)]
        found = told((await asyncio.gather(*(presence.join(one, STREAM) for one in crowd)))[-1])
        assert found["counter"] == 10
        async with asyncio.timeout(5):
            while not signals:  # a crowd is told of together
                await asyncio.sleep(0.01)
        assert len(signals) < 10

    play(scene)


def test_crowd_is_told_of_together_and_in_order(play: Scene, signals: list[dict[str, Any]]) -> None:
    """Nobody is told of by themselves, those who come later within the second neither; the counters
    go up by one."""

    async def scene(shared: SharedStore) -> None:
        presence, _ = node(shared)
        crowd = [FakeConnection(user) for user in range(1, 31)]
        await asyncio.gather(*(presence.join(one, STREAM) for one in crowd[:29]))
        assert signals == []
        await presence.join(crowd[29], STREAM)
        assert signals == []
        async with asyncio.timeout(5):
            while len(signals) < 30:
                await asyncio.sleep(0.01)
        assert [one["data"]["counter"] for one in signals] == list(range(1, 31))

    play(scene)


def test_those_who_leave_many_rooms_are_told_of_a_few_at_a_time(
    play: Scene, signals: list[dict[str, Any]]
) -> None:
    """Bug: of thousands who were gone at once all was told within one turn of the event loop, and
    nobody else's message moved for half a second."""

    async def scene(shared: SharedStore) -> None:
        presence, _ = node(shared)
        rooms = [Room(f"project.{number}") for number in range(1, 41)]
        left = [Difference(user, f"P{user}", "offline", "online") for user in (1, 2, 3)]
        for room in rooms:
            step = Step(room, Touch(room.name), [])
            presence._saw(step, Touched(Seen("n", 3, left, None), ()))
        assert len(signals) <= TOLD_IN_A_TURN
        async with asyncio.timeout(5):
            while len(signals) < len(rooms) * len(left):
                before = len(signals)
                await asyncio.sleep(0)
                assert len(signals) - before <= TOLD_IN_A_TURN
        for room in rooms:
            told = [one["data"] for one in signals if one["stream"] == room.name]
            assert [one["counter"] for one in told] == [1, 2, 3]

    play(scene)


def test_dead_store_is_nobody_known_until_it_is_back(
    play: Scene, signals: list[dict[str, Any]]
) -> None:
    """What could not be told then is told by the next round, without anybody asking."""

    async def scene(shared: SharedStore) -> None:
        presence, store = node(shared)
        store.away = True
        one = FakeConnection(1)
        began = time.monotonic()
        assert await presence.join(one, STREAM) is None
        assert time.monotonic() - began < 5
        assert presence.positions([STREAM]) == {}
        with pytest.raises(Unavailable):
            await presence.round(renewing=True)
        store.away = False
        await presence.round(renewing=False)
        assert [frame["type"] for frame in signals] == ["user_joined"]
        counter = presence.positions([STREAM])[STREAM]["counter"]
        assert ids(await presence.here(STREAM)) == [1]
        assert counter == 1

    play(scene)


def test_fault_of_one_touch_leaves_nobody_waiting(
    play: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bug: whoever asked while a touch failed in a way that nobody foresaw waited for ever."""

    async def scene(shared: SharedStore) -> None:
        presence, store = node(shared)
        real, begun, go_on = store.touch, asyncio.Event(), asyncio.Event()

        async def faulty(touches: Sequence[Touch], *, limit_s: float) -> list[Touched]:
            begun.set()
            await go_on.wait()
            monkeypatch.setattr(store, "touch", real)
            raise ValueError("expected a list, got nonsense")

        monkeypatch.setattr(store, "touch", faulty)
        first = asyncio.ensure_future(presence.join(FakeConnection(1), STREAM))
        await begun.wait()
        second = asyncio.ensure_future(presence.join(FakeConnection(2), STREAM))
        await asyncio.sleep(0)
        go_on.set()
        async with asyncio.timeout(5):
            assert await first is None
            assert 2 in ids(await second)

    play(scene)


def test_tab_that_came_anew_is_told_of() -> None:
    """Bug: the answer about the connection's former tab passed for one about the new one, and the
    release of the former ended the lease of both."""
    one, room = FakeConnection(1), Room(STREAM)
    former = room.tab_of(one)
    (step,) = room.steps(renewing=False)
    room.release(former)
    anew = room.tab_of(one)
    for tab, state in step.told:
        room.told(tab, state)
    assert list(room.untold.values()) == [anew]
    assert room.released == []


def test_room_is_gone_through_when_somebody_has_left() -> None:
    """And while a subscribe is under way: nobody says when it fails."""
    room = Room(STREAM)
    one, other = FakeConnection(1), FakeConnection(2)
    for connection in (one, other):
        room.tab_of(connection).settled = True
    room.release_gone(0.0, "first")
    del one.subscriptions[STREAM]
    room.release_gone(0.0, "first")
    assert list(room.tabs) == [one.id, other.id], "expected no look: nobody is said to have left"
    room.release_gone(0.0, "second")
    assert list(room.tabs) == [other.id]
    late = FakeConnection(3)
    late.subscriptions.clear()
    tab = room.tab_of(late)
    room.release_gone(tab.since, "second")
    room.release_gone(tab.since + 29, "second")
    assert late.id in room.tabs
    room.release_gone(tab.since + 31, "second")
    assert list(room.tabs) == [other.id]
    other.subscriptions.clear()
    room.release_gone(0.0, None)
    assert not room.tabs, "expected a look where nobody knows who has left"


def test_leases_are_renewed_as_they_stand() -> None:
    """The text of all leases is kept for as long as they are the same."""
    room = Room(STREAM)
    tabs = [room.tab_of(FakeConnection(user)) for user in (1, 2)]
    assert renewed(room) == []
    for tab in tabs:
        room.told(tab, "online")
    assert renewed(room) == ["1:c1-0", "2:c2-0"]
    room.change(tabs[0], "busy")
    assert renewed(room) == ["2:c2-0"]
    room.told(tabs[0], "busy")
    assert renewed(room) == ["1:c1-0", "2:c2-0"]
    room.lacks(["2:c2-0"])
    assert renewed(room) == ["1:c1-0"]
    room.told(tabs[1], "online")
    room.release(tabs[0])
    assert renewed(room) == ["2:c2-0"]
    room.forget(but=[])
    assert renewed(room) == []


def renewed(room: Room) -> list[str]:
    steps = room.steps(renewing=True)
    return [lease for step in steps for text in step.touch.renewed for lease in text.split()]


def test_emptied_store_has_everybody_again_after_one_round(play: Scene) -> None:
    async def scene(shared: SharedStore) -> None:
        presence, _ = node(shared)
        before = await presence.join(FakeConnection(1), STREAM)
        await presence.join(FakeConnection(2), STREAM)
        await shared.call(lambda redis: redis.flushall(), limit_s=1.0)
        await presence.round(renewing=False)
        after = await presence.here(STREAM)
        assert ids(after) == [1, 2]
        assert told(after)["nonce"] != told(before)["nonce"]

    play(scene)


def test_expired_leases_of_a_stalled_node_come_back(
    play: Scene, signals: list[dict[str, Any]]
) -> None:
    """A node that did not renew in time finds its people gone, and registers them anew."""

    async def scene(shared: SharedStore) -> None:
        stalled, _ = node(shared, lease_ms=50)
        other, _ = node(shared)
        await stalled.join(FakeConnection(1), STREAM)
        await other.join(FakeConnection(2), STREAM)
        await asyncio.sleep(0.1)
        await other.round(renewing=True)
        assert ids(await other.here(STREAM)) == [2]
        await stalled.round(renewing=True)
        assert ids(await other.here(STREAM)) == [1, 2]
        told = [(frame["type"], frame["data"]["user"]["id"]) for frame in signals]
        assert told == [
            ("user_joined", 1),
            ("user_joined", 2),
            ("user_left", 1),
            ("user_joined", 1),
        ]

    play(scene)


def test_left_stream_and_stopped_node_release_their_leases(play: Scene) -> None:
    async def scene(shared: SharedStore) -> None:
        presence, _ = node(shared, linger_ms=50)
        watcher, _ = node(shared)
        leaver, stayer = FakeConnection(1), FakeConnection(2)
        for one in (leaver, stayer):
            await presence.join(one, STREAM)
            presence.settle(one, STREAM)
        await watcher.join(FakeConnection(3), STREAM)
        leaver.subscriptions.clear()
        await presence.round(renewing=False)
        await asyncio.sleep(0.1)
        assert ids(await watcher.here(STREAM)) == [2, 3]
        await presence.close()
        await asyncio.sleep(0.1)
        assert ids(await watcher.here(STREAM)) == [3]
        assert presence.positions([STREAM]) == {}

    play(scene)


def test_without_a_store_nobody_is_known() -> None:
    presence = Presence(FakeHub(), None)  # type: ignore[arg-type]
    one = FakeConnection(1)
    assert asyncio.run(presence.join(one, STREAM)) is None
    assert asyncio.run(presence.tell(one, STREAM, "busy")) is None
