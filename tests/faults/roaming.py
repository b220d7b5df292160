"""Many clients in one event loop that go from node to node, as the protocol document asks of them.

Written without the project's own clients. `Reader` keeps every event of one stream; `Poster` sends
messages, and again with the same `client_ref` when its node left before it answered.
"""

import asyncio
import json
import time
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake

RETRY_S = 0.05
ANSWER_S = 10.0


@dataclass
class Front:
    """What a load balancer knows; each client goes round by itself."""

    addresses: list[str]

    def after(self, address: str) -> str:
        """Another address than that, where there is one."""
        others = [one for one in self.addresses if one != address]
        return others[0] if others else address


@dataclass(frozen=True, slots=True)
class Move:
    """A planned change of nodes: what was announced, and how long it took to be live again."""

    delay_s: float
    waited_s: float

    @property
    def excess_s(self) -> float:
        return self.waited_s - self.delay_s


@dataclass
class Roamer(ABC):
    """One client, from begin to end; `run` is its task and raises what is wrong with the server."""

    front: Front
    authorization: str
    stream: str
    address: str
    moves: list[Move] = field(default_factory=list)
    codes: list[int] = field(default_factory=list)
    over: asyncio.Event = field(default_factory=asyncio.Event)
    _told: tuple[float, float] | None = None  # (when, delay in seconds)

    async def run(self) -> None:
        while not self.over.is_set():
            try:
                async with self._connected() as socket:
                    await self.serve(socket)
            except ConnectionClosed as error:
                self.codes.append(error.rcvd.code if error.rcvd is not None else 1006)
                await self._wait_as_told()
            except (OSError, InvalidHandshake, TimeoutError):
                await asyncio.sleep(RETRY_S)
            self.address = self.front.after(self.address)

    @abstractmethod
    async def serve(self, socket: ClientConnection) -> None:
        """What this client does with one socket, until it ends."""

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[ClientConnection]:
        headers = {"Authorization": self.authorization}
        async with connect(
            f"{self.address}/ws",
            additional_headers=headers,
            compression=None,
            proxy=None,
            ping_interval=None,
            close_timeout=1,
            open_timeout=5,
        ) as socket:
            yield socket

    def note(self, frame: dict[str, Any]) -> None:
        """Remember what a stop announced."""
        if frame.get("type") == "server_shutdown":
            self._told = (time.monotonic(), frame["data"]["reconnect_after_ms"] / 1000)

    def live(self) -> None:
        """Called when everything works again."""
        if self._told is not None:
            at, delay_s = self._told
            self.moves.append(Move(delay_s, time.monotonic() - at))
            self._told = None

    async def _wait_as_told(self) -> None:
        """Not before the announced moment, also when the socket was closed earlier."""
        if self._told is None:
            await asyncio.sleep(RETRY_S)
        else:
            at, delay_s = self._told
            await asyncio.sleep(max(0.0, at + delay_s - time.monotonic()))


@dataclass
class Reader(Roamer):
    """`seqs` and `bodies` are all that came of the stream, over all sockets, as they came."""

    seqs: list[int] = field(default_factory=list)
    bodies: list[str] = field(default_factory=list)
    position: dict[str, Any] | None = None
    ready: asyncio.Event = field(default_factory=asyncio.Event)

    async def serve(self, socket: ClientConnection) -> None:
        asked = {"since": self.position} if self.position is not None else {}
        await socket.send(json.dumps({"id": 1, "cmd": "subscribe", "stream": self.stream, **asked}))
        closing = asyncio.create_task(self._close_when_over(socket))
        try:
            while True:  # `async for` would take a 1001 for a good end
                self._take(json.loads(await socket.recv()))
        finally:
            closing.cancel()

    async def _close_when_over(self, socket: ClientConnection) -> None:
        await self.over.wait()
        await socket.close()

    def _take(self, frame: dict[str, Any]) -> None:
        self.note(frame)
        if frame.get("reply") == 1:
            self._subscribed(frame)
        elif frame.get("stream") == self.stream and "seq" in frame:
            assert self.position is not None
            self.position["seq"] = frame["seq"]
            self.seqs.append(frame["seq"])
            self.bodies.append(frame["data"]["message"]["body"])
        assert frame.get("type") != "stream_reset", frame

    def _subscribed(self, reply: dict[str, Any]) -> None:
        assert reply["ok"], reply
        data = reply["data"]
        if self.position is None:
            self.position = {"epoch": data["epoch"], "seq": data["head"]}
        else:
            assert data["recovered"], data
        self.live()
        self.ready.set()


@dataclass
class Poster(Roamer):
    """A message every `every_s`; `sent` are the bodies that the server said it had taken."""

    name: str = "p"
    every_s: float = 0.1
    sent: list[str] = field(default_factory=list)
    _next: int = 1

    async def serve(self, socket: ClientConnection) -> None:
        while not self.over.is_set():
            body = f"{self.name}-{self._next}"
            command = {"id": self._next, "cmd": "send_message", "stream": self.stream}
            await socket.send(json.dumps(command | {"body": body, "client_ref": body}))
            async with asyncio.timeout(ANSWER_S):
                await self._reply(socket)
            self.live()
            self.sent.append(body)
            self._next += 1
            with suppress(TimeoutError):
                async with asyncio.timeout(self.every_s):
                    await self.over.wait()

    async def _reply(self, socket: ClientConnection) -> None:
        """Wait for it; a closed socket means asking again elsewhere."""
        while True:
            frame = json.loads(await socket.recv())
            self.note(frame)
            if frame.get("reply") == self._next:
                assert frame["ok"], frame
                return
