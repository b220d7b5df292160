"""The order in which a worker lets the broadcasts that it has in hand go out."""

import asyncio

import pytest

from realtime.broadcasts.turns import Turns


class Speaker:
    """Those who want turns, and when they had them."""

    def __init__(self, turns: Turns) -> None:
        self.turns = turns
        self.spoke: list[str] = []
        self.over = asyncio.Event()

    async def speak(self, name: str, priority: int) -> None:
        async with self.turns.taken(priority):
            self.spoke.append(name)
            await self.over.wait()

    def begin(self, *given: tuple[str, int]) -> list[asyncio.Task[None]]:
        return [asyncio.create_task(self.speak(name, priority)) for name, priority in given]


async def settled() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


def test_most_urgent_goes_first_then_who_came_first() -> None:
    async def story() -> None:
        speaker = Speaker(Turns(2))
        tasks = speaker.begin(("a", -50), ("b", -50), ("c", -50), ("d", 0), ("e", 100), ("f", 100))
        await settled()
        assert speaker.spoke == ["a", "b"]
        speaker.over.set()
        await asyncio.gather(*tasks)
        assert speaker.spoke == ["a", "b", "e", "f", "d", "c"]

    asyncio.run(story())


@pytest.mark.parametrize("given", [False, True], ids=["waiting", "just given"])
def test_turn_of_who_is_cancelled_is_somebody_elses(given: bool) -> None:
    """Also where it was given in the same moment: else it would be lost for good."""

    async def story() -> None:
        speaker = Speaker(Turns(1))
        first, second, third = speaker.begin(("a", 0), ("b", 0), ("c", 0))
        await settled()
        if given:
            first.cancel()
            await asyncio.sleep(0)  # its turn is over; the second has not heard of it yet
            assert speaker.spoke == ["a"]
        second.cancel()
        await settled()
        speaker.over.set()
        ends = await asyncio.gather(first, second, third, return_exceptions=True)
        assert isinstance(ends[1], asyncio.CancelledError)
        assert speaker.spoke == ["a", "c"]
        await asyncio.gather(*speaker.begin(("d", 0)))

    asyncio.run(story())
