"""Those who wait for a stream to pass a seq."""

import asyncio


class Waiters:
    """Woken by the stream when its `last` moves; truthy while somebody waits."""

    __slots__ = ("_waiting",)

    def __init__(self) -> None:
        self._waiting: tuple[tuple[int, asyncio.Future[None]], ...] = ()

    def __len__(self) -> int:
        return len(self._waiting)

    async def wait(self, seq: int, timeout_s: float) -> bool:
        """Until woken with a `last` above `seq`, or with everyone; False when time ran out."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        waiter = (seq, future)
        self._waiting = (*self._waiting, waiter)
        try:
            async with asyncio.timeout(timeout_s):
                await future
        except TimeoutError:
            return False
        finally:
            self._waiting = tuple(one for one in self._waiting if one is not waiter)
        return True

    def wake(self, last: int, *, everyone: bool = False) -> None:
        if not self._waiting:
            return
        for seq, future in self._waiting:
            if (everyone or last > seq) and not future.done():
                future.set_result(None)
        self._waiting = tuple(waiter for waiter in self._waiting if not waiter[1].done())
