"""A node in the test's own process, and sockets that come to it over ASGI, without a network.

Every call of the event loop to the database is noted by the name of what was called.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from asgiref.sync import async_to_sync

from realtime import database
from realtime.node import Node, current_node, stop_node
from realtime.security.admission import credential_of_header
from realtime.sockets.consumer import RealtimeConsumer

WITHIN_S = 20.0
ORIGIN = "http://localhost:5173"

Frame = dict[str, Any]


class Visit:
    """One socket: `frames` are what it was sent, `code` is that of its close."""

    def __init__(self, path: str = "/ws", **headers: str) -> None:
        offered, address = headers.pop("ticket", None), headers.pop("address", None)
        named = {"host": "localhost", "origin": ORIGIN, **headers}
        self._scope: dict[str, Any] = {
            "type": "websocket",
            "path": path,
            "scheme": "ws",
            "headers": [(name.encode(), value.encode()) for name, value in named.items()],
            "subprotocols": ["pm.v1", *([f"pm.ticket.{offered}"] if offered else ())],
            "query_string": b"",
            "client": (address, 50_000) if address else None,
        }
        self._incoming: asyncio.Queue[Frame] = asyncio.Queue()
        self._changed = asyncio.Event()
        self._last_id = 0
        self.accepted: str | None = None
        self.frames: list[Frame] = []
        self.code: int | None = None
        self._incoming.put_nowait({"type": "websocket.connect"})
        self._task = asyncio.ensure_future(
            RealtimeConsumer()(self._scope, self._incoming.get, self._send)
        )

    async def _send(self, message: Frame) -> None:
        if message["type"] == "websocket.accept":
            self.accepted = message["subprotocol"]
        elif message["type"] == "websocket.send":
            self.frames.append(json.loads(message["text"]))
        else:
            self.code = message["code"]
            self._incoming.put_nowait({"type": "websocket.disconnect", "code": self.code})
        self._changed.set()

    async def until(self, condition: Callable[[], Any]) -> Any:
        """What the condition gives once that is something."""
        async with asyncio.timeout(WITHIN_S):
            while not (found := condition()):
                await self._changed.wait()
                self._changed.clear()
        return found

    async def greeted(self) -> "Visit":
        first = await self.until(lambda: self.frames or self.code)
        assert first is self.frames, f"expected to be greeted, got {self.code}"
        assert self.frames[0]["type"] == "authentication_success"
        return self

    async def reply(self, number: int | None) -> Frame:
        found: Frame = await self.until(
            lambda: next(
                (one for one in self.frames if "reply" in one and one["reply"] == number), None
            )
        )
        return found

    async def closed(self) -> int:
        code: int = await self.until(lambda: self.code)
        return code

    async def ok(self, cmd: str, **fields: Any) -> Any:
        """The data of the reply, which must be positive."""
        self._last_id += 1
        number = self._last_id
        self.say({"id": number, "cmd": cmd, **fields})
        reply = await self.reply(number)
        assert reply["ok"], reply
        return reply["data"]

    def say(self, command: Frame) -> None:
        self._incoming.put_nowait({"type": "websocket.receive", "text": json.dumps(command)})

    async def leave(self) -> None:
        self._incoming.put_nowait({"type": "websocket.disconnect", "code": 1000})
        await asyncio.wait([self._task], timeout=WITHIN_S)
        if self._task.done():
            await self._task


class House:
    """The node; `calls` are the names of what went to the database since they were cleared."""

    def __init__(self, node: Node, calls: list[str]) -> None:
        self.node = node
        self.calls = calls
        self.visits: list[Visit] = []

    def come(self, path: str = "/ws", **headers: str) -> Visit:
        """`ticket` is offered as a subprotocol, `address` is the peer's; the rest are headers,
        lower-case."""
        visit = Visit(path, **headers)
        self.visits.append(visit)
        return visit

    async def settled(self, *streams: str) -> None:
        """Their groups are joined and were looked after."""
        hub = self.node.hub
        async with asyncio.timeout(WITHIN_S):
            while not all(hub.streams[name].group in hub._settled for name in streams):
                await asyncio.sleep(0.01)


async def ticket_for(house: House, authorization: str) -> str:
    """As `POST /api/websocket/tickets` gives one."""
    asked = credential_of_header(authorization)
    return await house.node.tickets.issue(await house.node.admissions.ask(asked))


Story = Callable[[House], Awaitable[None]]


def play(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run the story in a house of its own. The channel layer is in memory, as tickets are."""
    calls: list[str] = []
    untouched = database._call

    def noted(function: Any, *args: Any, **kwargs: Any) -> Any:
        calls.append(function.__name__)
        return untouched(function, *args, **kwargs)

    monkeypatch.setattr(database, "_call", noted)

    async def run() -> None:
        house = House(await current_node(), calls)
        try:
            await story(house)
        finally:
            await asyncio.gather(*(visit.leave() for visit in house.visits))
            await stop_node()

    async_to_sync(run)()
