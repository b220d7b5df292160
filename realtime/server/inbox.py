"""What uvicorn's WebSocket class takes an `asyncio.Queue` and an `asyncio.Event` for, in little.

Those hold five deques of 0.6 KiB, and a socket that is handed over puts one message into one of
them: they were a quarter of what its handshake cost.

Must not import Django, nor anything that is above the transport.
"""

import asyncio
from typing import Any


class _Waited:
    """Whoever waits is let go together; each looks again whether it is their turn."""

    __slots__ = ("_change",)

    def __init__(self) -> None:
        self._change: asyncio.Future[None] | None = None

    async def _changed(self) -> None:
        if self._change is None:
            self._change = asyncio.get_running_loop().create_future()
        await asyncio.shield(self._change)

    def _let_go(self) -> None:
        if self._change is not None:
            self._change.set_result(None)
            self._change = None


class Inbox(_Waited):
    """Messages in order, without a bound of its own: uvicorn's class stops reading while some are
    there. Of `asyncio.Queue` what that class uses."""

    __slots__ = ("_messages",)

    def __init__(self) -> None:
        super().__init__()
        self._messages: list[Any] = []

    def empty(self) -> bool:
        return not self._messages

    def put_nowait(self, message: Any) -> None:
        self._messages.append(message)
        self._let_go()

    def get_nowait(self) -> Any:
        """Raises IndexError when there is none."""
        return self._messages.pop(0)

    async def get(self) -> Any:
        while not self._messages:
            await self._changed()
        return self._messages.pop(0)


class Gate(_Waited):
    """Open at first. Of `asyncio.Event` what uvicorn's class uses."""

    __slots__ = ("_open",)

    def __init__(self) -> None:
        super().__init__()
        self._open = True

    def is_set(self) -> bool:
        return self._open

    def set(self) -> None:
        self._open = True
        self._let_go()

    def clear(self) -> None:
        self._open = False

    async def wait(self) -> bool:
        while not self._open:
            await self._changed()
        return True
