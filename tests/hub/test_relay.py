"""The relay against a channel layer that hangs, fails and comes back."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from realtime.hub import relay as relay_module
from realtime.hub.relay import Relay


class FakeLayer:
    """Groups in memory. While `mode` is "fail" every call raises; while "hang" none returns."""

    def __init__(self) -> None:
        self.mode = "ok"
        self.groups: set[str] = set()
        self.inbox: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.calls = 0
        self.channels = 0

    async def _answer(self) -> None:
        self.calls += 1
        if self.mode == "fail":
            raise ConnectionError("refused")
        if self.mode == "hang":
            await asyncio.Event().wait()

    async def new_channel(self, prefix: str) -> str:
        await self._answer()
        self.channels += 1
        return f"{prefix}{self.channels}"

    async def receive(self, channel: str) -> dict[str, Any]:
        if self.mode == "fail":
            raise ConnectionError("refused")
        return await self.inbox.get()

    async def group_add(self, name: str, channel: str) -> None:
        await self._answer()
        self.groups.add(name)

    async def flush(self) -> None:
        await self._answer()

    async def group_discard(self, name: str, channel: str) -> None:
        await self._answer()
        self.groups.discard(name)


class Scene:
    def __init__(self, layer: FakeLayer) -> None:
        self.layer = layer
        self.messages: list[dict[str, Any]] = []
        self.joined: list[str] = []
        self.relay = Relay(self.messages.append, self.joined.append)

    async def until(self, condition: Callable[[], object]) -> None:
        async with asyncio.timeout(5):
            while not condition():
                await asyncio.sleep(0.001)


@pytest.fixture
def play(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[Scene], Awaitable[None]]], None]:
    monkeypatch.setattr(relay_module, "LAYER_TIMEOUT_S", 0.02)
    monkeypatch.setattr(relay_module, "RETRY_S", 0.02)

    def run(story: Callable[[Scene], Awaitable[None]]) -> None:
        async def main() -> None:
            scene = Scene(FakeLayer())
            monkeypatch.setattr(relay_module, "get_channel_layer", lambda: scene.layer)
            tasks = [
                asyncio.ensure_future(scene.relay.receive()),
                asyncio.ensure_future(scene.relay.reconcile()),
            ]
            await story(scene)
            assert not any(task.done() for task in tasks), "expected the tasks to go on"
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

        asyncio.run(main())

    return run


Play = Callable[[Callable[[Scene], Awaitable[None]]], None]


def test_joins_what_is_wanted_and_leaves_the_rest(play: Play) -> None:
    """And tells of each stream joined, because SUBSCRIBE takes a moment more."""

    async def story(scene: Scene) -> None:
        scene.relay.want("a")
        scene.relay.want("b")
        await scene.until(lambda: scene.layer.groups == {"a", "b"})
        await scene.until(lambda: scene.joined == ["a", "b"])
        assert not scene.relay.polled
        scene.relay.leave("a")
        await scene.until(lambda: scene.layer.groups == {"b"})
        assert scene.relay.joined == {"b"}
        scene.layer.inbox.put_nowait({"type": "x"})
        await scene.until(lambda: scene.messages == [{"type": "x"}])

    play(story)


@pytest.mark.parametrize("mode", ["fail", "hang"])
@pytest.mark.parametrize("when", ["from the start", "later"])
def test_layer_away_is_polled_until_it_is_back(play: Play, mode: str, when: str) -> None:
    """`want` never waits; what could not be joined counts as polled, and is joined afterwards."""

    async def story(scene: Scene) -> None:
        if when == "later":
            scene.relay.want("early")
            await scene.until(lambda: scene.layer.groups == {"early"})
        scene.layer.mode = mode
        scene.relay.want("a")
        before = scene.layer.calls
        await scene.until(lambda: scene.layer.calls > before + 1)
        assert scene.relay.polled
        assert "a" not in scene.relay.joined
        scene.layer.mode = "ok"
        await scene.until(lambda: "a" in scene.layer.groups and not scene.relay.polled)

    play(story)


def test_message_that_fails_does_not_end_the_relay(play: Play) -> None:
    """A message that another version sent, or that is broken."""

    async def story(scene: Scene) -> None:
        def refuse(message: dict[str, Any]) -> None:
            raise KeyError("stream")

        scene.relay._on_message = refuse
        scene.layer.inbox.put_nowait({"type": "broken"})
        await scene.until(scene.layer.inbox.empty)
        scene.relay._on_message = scene.messages.append
        scene.layer.inbox.put_nowait({"type": "x"})
        await scene.until(lambda: scene.messages == [{"type": "x"}])

    play(story)


def test_rebuild_joins_everything_again_on_a_new_channel(play: Play) -> None:
    """The layer forgot this process: what it says it has joined means nothing then."""

    async def story(scene: Scene) -> None:
        scene.relay.want("a")
        await scene.until(lambda: scene.layer.groups == {"a"})
        old = scene.relay._channel
        scene.layer.groups.clear()
        await scene.relay.rebuild()
        await scene.until(lambda: scene.layer.groups == {"a"})
        await scene.until(lambda: scene.joined == ["a", "a"])
        assert scene.relay._channel not in {None, old}
        scene.layer.inbox.put_nowait({"type": "x"})
        await scene.until(lambda: scene.messages == [{"type": "x"}])

    play(story)


def test_rebuild_of_a_layer_that_hangs_ends_and_may_be_repeated(play: Play) -> None:
    """Nobody can ask a hanging layer to let go; the streams are polled meanwhile."""

    async def story(scene: Scene) -> None:
        scene.relay.want("a")
        await scene.until(lambda: scene.layer.groups == {"a"})
        scene.layer.mode = "hang"
        await scene.relay.rebuild()
        assert scene.relay.polled
        scene.layer.mode = "ok"
        await scene.relay.rebuild()
        await scene.until(lambda: not scene.relay.polled)

    play(story)
