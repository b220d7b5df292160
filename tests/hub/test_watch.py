"""The watch over the layer: what it does with each answer of the probe."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from realtime.hub import watch as watch_module
from realtime.hub.health import LayerHealth
from realtime.hub.probe import Outcome
from realtime.hub.watch import LayerWatch
from realtime.protocol.errors import Unavailable

GOOD, UNSENT, UNHEARD, UNKNOWN = Outcome.GOOD, Outcome.UNSENT, Outcome.UNHEARD, Outcome.UNKNOWN


class Scene:
    """A watch whose probe answers as told, one after another; a relay that only counts."""

    def __init__(self) -> None:
        self.health = LayerHealth()
        self.answers: list[Outcome] = []
        self.rebuilt = 0
        self.checks = 0
        self.database_away = False
        self.told: list[Any] = []
        self.watch = LayerWatch(self.health, self, self, self.check_all)  # type: ignore[arg-type]
        self.watch.on_turn = self.told.append
        self.watch.on_attempt = self.told.append

    groups = ("probe.1",)

    def polls(self) -> bool:
        return self.health.polling

    async def ask(self) -> Outcome:
        return self.answers.pop(0)

    async def rebuild(self) -> None:
        self.rebuilt += 1

    async def check_all(self) -> None:
        self.checks += 1
        if self.database_away:
            raise Unavailable("expected the database to answer, got none")

    async def rounds(self, *answers: Outcome) -> None:
        self.answers = list(answers)
        while self.answers:
            await self.watch._round()


def play(story: Callable[[Scene], Awaitable[None]]) -> None:
    async def main() -> None:
        await story(Scene())

    asyncio.run(main())


def test_absent_layer_is_told_once_and_heads_are_checked_before_the_return() -> None:
    """Down, first attempts, back; the same again is told again."""

    async def story(scene: Scene) -> None:
        await scene.rounds(UNSENT, UNSENT)
        assert scene.told == [True]
        await scene.rounds(UNSENT, GOOD, GOOD)
        assert scene.polls()
        checks = scene.checks
        await scene.rounds(GOOD)
        assert scene.checks == checks + 1
        assert scene.told[-1] is False
        assert [one for one in scene.told if isinstance(one, bool)] == [True, False]
        await scene.rounds(UNSENT, UNSENT)
        assert scene.told.count(True) == 2
        assert scene.rebuilt == 0

    play(story)


def test_no_return_while_heads_cannot_be_checked() -> None:
    """The database is away too: polling goes on until both are back."""

    async def story(scene: Scene) -> None:
        await scene.rounds(UNSENT, UNSENT, GOOD)
        scene.database_away = True
        for _ in range(2):
            with pytest.raises(Unavailable):
                await scene.rounds(GOOD, GOOD)
        assert scene.polls()
        scene.database_away = False
        await scene.rounds(GOOD)
        assert not scene.polls()

    play(story)


def test_deaf_relay_is_rebuilt_but_not_all_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Joining thousands of groups takes a while: the next time is a few seconds later."""

    async def story(scene: Scene) -> None:
        await scene.rounds(*[UNHEARD] * 2)
        assert (scene.rebuilt, scene.health.rebuilds) == (1, 1)
        await scene.rounds(*[UNHEARD] * 10)
        assert scene.rebuilt == 1
        scene.watch._rebuild_at = 0.0
        await scene.rounds(*[UNHEARD] * 2)
        assert scene.rebuilt == 2

    play(story)


def test_single_miss_makes_the_heads_be_checked_at_once() -> None:
    """What was committed in that second would otherwise wait for the position check."""

    async def story(scene: Scene) -> None:
        await scene.rounds(GOOD, UNHEARD)
        assert scene.checks == 0
        await scene.rounds(GOOD, GOOD)
        assert scene.checks == 1
        assert not scene.polls()

    play(story)


def test_busy_process_blames_nobody() -> None:
    """A probe that came back late because this loop was late says nothing of the layer."""

    async def story(scene: Scene) -> None:
        await scene.rounds(*[UNKNOWN] * 5)
        assert not scene.polls()
        assert scene.health.missed == 0

    play(story)


def test_events_without_hints_rebuild_the_relay_once() -> None:
    """Probes are good, so a group may be missing: everything is joined anew, and told."""

    async def story(scene: Scene) -> None:
        scene.health.heal()
        scene.health.heal()
        await scene.rounds(GOOD, GOOD, GOOD, GOOD)
        assert scene.rebuilt == 1
        assert scene.polls()
        assert scene.told[0] is True

    play(story)


def test_watching_outlives_any_fault(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A fault in a round is logged, and the next round comes."""
    monkeypatch.setattr(watch_module, "PROBE_EVERY_S", 0.001)

    async def story(scene: Scene) -> None:
        asked = 0

        async def broken() -> Outcome:
            nonlocal asked
            asked += 1
            raise ZeroDivisionError

        async def close() -> None:
            pass

        scene.ask = broken  # type: ignore[method-assign]
        scene.close = close  # type: ignore[attr-defined]
        task = asyncio.ensure_future(scene.watch.run())
        async with asyncio.timeout(5):
            while asked < 3:
                await asyncio.sleep(0.001)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    play(story)
    assert "layer not watched" in caplog.text
