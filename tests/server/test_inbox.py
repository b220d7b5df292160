"""The small stand-ins for a queue and an event behave as those do."""

import asyncio
from typing import Any

from realtime.server.inbox import Gate, Inbox

LIMIT_S = 5.0


async def _turns() -> None:
    for _ in range(3):
        await asyncio.sleep(0)


def test_messages_come_in_order_to_whoever_waits() -> None:
    """One that is there at once, one that is waited for."""

    async def scene() -> list[Any]:
        inbox = Inbox()
        inbox.put_nowait(1)
        waiting = asyncio.create_task(asyncio.wait_for(_both(inbox), LIMIT_S))
        await _turns()
        assert not waiting.done()
        inbox.put_nowait(2)
        return await waiting

    async def _both(inbox: Inbox) -> list[Any]:
        return [await inbox.get(), await inbox.get()]

    assert asyncio.run(scene()) == [1, 2]


def test_each_message_goes_to_one_of_several_who_wait() -> None:
    """And who gave up takes none with them."""

    async def scene() -> None:
        inbox = Inbox()
        first, second, gone = (asyncio.create_task(inbox.get()) for _ in range(3))
        await _turns()
        gone.cancel()
        inbox.put_nowait("a")
        await _turns()
        assert first.done() != second.done()
        inbox.put_nowait("b")
        async with asyncio.timeout(LIMIT_S):
            assert {await first, await second} == {"a", "b"}
        assert gone.cancelled()
        assert inbox.empty()

    asyncio.run(scene())


def test_gate_holds_up_until_it_is_open() -> None:
    """Open at first; closed again before the one who waits has had a turn, it still holds."""

    async def scene() -> None:
        gate = Gate()
        assert await gate.wait()
        gate.clear()
        waiting = asyncio.create_task(gate.wait())
        await _turns()
        gate.set()
        gate.clear()
        await _turns()
        assert not waiting.done()
        gate.set()
        async with asyncio.timeout(LIMIT_S):
            assert await waiting

    asyncio.run(scene())
