"""Hints from a hub's event loop: joined while Redis answers, counted, and left to the thread."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from realtime import publisher as module
from realtime.hints.outlet import TURN_LIMIT
from realtime.layer.sender import Told
from realtime.log.entries import Entry
from realtime.publisher import Publisher, announce, announce_signal


class FakeLayer:
    """Keeps what is sent; answers at once, or when `answer` is called while `holding`.

    `in_thread` has what came by the publisher's own thread.
    """

    def __init__(self) -> None:
        self.sent: list[tuple[str, dict[str, Any]]] = []
        self.in_thread: list[str] = []
        self.holding = False
        self.fault: Exception | None = None
        self._held: list[Told] = []

    def group_send_nowait(self, group: str, message: dict[str, Any], told: Told) -> None:
        self.sent.append((group, message))
        if self.holding:
            self._held.append(told)
        else:
            told(self.fault)

    async def group_send(self, group: str, message: dict[str, Any]) -> None:
        self.in_thread.append(group)

    def answer(self) -> None:
        held, self._held = self._held, []
        for told in held:
            told(self.fault)

    @property
    def seqs(self) -> list[list[int]]:
        """Of each message, the positions."""
        return [[one[0] for one in message.get("entries", ())] for _, message in self.sent]


@pytest.fixture
def layer(monkeypatch: pytest.MonkeyPatch) -> FakeLayer:
    found = FakeLayer()
    monkeypatch.setattr(module, "get_channel_layer", lambda: found)
    return found


@pytest.fixture
def publisher(monkeypatch: pytest.MonkeyPatch) -> Iterator[Publisher]:
    subject = Publisher()
    monkeypatch.setattr(module, "_publisher", subject)
    yield subject
    module.detach_local_hub()


def entry(seq: int) -> Entry:
    return Entry(seq, b"{}", "x", None, None)


def nothing(*_: Any) -> None:
    """A hub that nobody reads."""


def attach(events: Callable[..., Any] = nothing) -> None:
    module.attach_local_hub(events, nothing, asyncio.get_running_loop())


async def turns(count: int = 5) -> None:
    """Let the loop do what it has been given."""
    for _ in range(count):
        await asyncio.sleep(0)


def test_hint_leaves_before_the_own_readers_are_served(
    layer: FakeLayer, publisher: Publisher
) -> None:
    """The other nodes' hint is one write, the own fan-out may take ten milliseconds. From any
    thread, and without one of its own."""
    order: list[str] = []

    async def story() -> None:
        loop = asyncio.get_running_loop()
        attach(lambda *_: loop.call_soon_threadsafe(lambda: order.append(f"hub {len(layer.sent)}")))
        thread = threading.Thread(target=announce, args=("a", "e", [entry(1)]))
        thread.start()
        thread.join()
        await turns()

    asyncio.run(story())
    assert order == ["hub 1"]
    assert layer.seqs == [[1]]
    assert (publisher.sent, publisher._thread) == (1, None)
    assert publisher.flush(0)


def test_what_comes_before_the_answer_gathers(layer: FakeLayer, publisher: Publisher) -> None:
    """One turn is under way: the rest goes out with the next, joined per stream and in order."""
    layer.holding = True

    async def story() -> None:
        attach()
        announce("a", "e", [entry(1)])
        await turns()
        announce("a", "e", [entry(3)])
        announce("b", "e", [entry(7)])
        announce("a", "e", [entry(2)])
        announce_signal("a", 3, b"{}")
        await turns()
        assert layer.seqs == [[1]]
        assert not publisher.flush(0)
        layer.answer()
        await turns()
        assert layer.seqs == [[1], [2, 3], [7], []]
        layer.answer()
        assert publisher.flush(0)

    asyncio.run(story())
    assert publisher.sent == 4


def test_a_turn_is_bounded(layer: FakeLayer, publisher: Publisher) -> None:
    """The loop has sockets to serve; nothing is left behind."""

    async def story() -> None:
        attach()
        for number in range(TURN_LIMIT + 10):
            announce(f"s{number}", "e", [entry(1)])
        await asyncio.sleep(0)
        assert len(layer.sent) == TURN_LIMIT
        await turns()
        assert len(layer.sent) == TURN_LIMIT + 10

    asyncio.run(story())
    assert publisher.flush(0)
    assert publisher._queued_bytes == 0


@pytest.mark.parametrize("how", ["told", "raised"])
def test_failing_layer_is_left_alone(
    layer: FakeLayer, publisher: Publisher, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three are tried, the others dropped and counted; after its wait it is tried again."""
    layer.fault = ConnectionError("refused")

    def refuse(group: str, message: dict[str, Any], told: Told) -> None:
        raise ConnectionError("refused")

    async def story() -> None:
        attach()
        with monkeypatch.context() as away:
            if how == "raised":
                away.setattr(layer, "group_send_nowait", refuse)
            for number in range(10):
                announce(f"s{number}", "e", [entry(1)])
            await turns()
        assert (publisher.failed, publisher.dropped, publisher.sent) == (3, 7, 0)
        assert publisher.flush(0)
        layer.fault = None
        publisher.breaker._probe_at = 0.0  # its wait is over
        announce("a", "e", [entry(1)])
        await turns()

    asyncio.run(story())
    assert publisher.sent == 1


def test_hub_that_ends_leaves_the_rest_to_the_thread(
    layer: FakeLayer, publisher: Publisher
) -> None:
    """Detached while an answer is awaited, and hints wait behind it: these are not lost."""
    layer.holding = True

    async def story() -> None:
        attach()
        announce("a", "e", [entry(1)])
        await turns()
        announce("b", "e", [entry(2)])
        module.detach_local_hub()
        layer.answer()  # late, and counted all the same
        announce("c", "e", [entry(3)])

    asyncio.run(story())
    assert publisher.flush(5)
    assert sorted(layer.in_thread) == ["b", "c"]
    assert publisher.sent == 3


def test_loop_that_was_closed_leaves_all_to_the_thread(
    layer: FakeLayer, publisher: Publisher
) -> None:
    """A server that was ended without its hub's stop."""

    async def story() -> None:
        attach()

    asyncio.run(story())
    announce("a", "e", [entry(1)])
    assert publisher.flush(5)
    assert layer.in_thread == ["a"]
    assert publisher.outlet is None


def test_stopping_hub_waits_for_answers(layer: FakeLayer, publisher: Publisher) -> None:
    """For a second at most: a Redis that hangs holds no server up."""
    layer.holding = True

    async def story() -> None:
        attach()
        announce("a", "e", [entry(1)])
        await turns()
        assert not await publisher.drained(0.05)
        asyncio.get_running_loop().call_later(0.05, layer.answer)
        assert await publisher.drained(5)

    asyncio.run(story())
