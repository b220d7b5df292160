"""A TCP proxy that can be a bad network: slow, stalled, cut, a black hole. It has its own thread.

with Proxy(("127.0.0.1", 6379)) as proxy:
    connect to proxy.port
    proxy.delay(0.3)
"""

import asyncio
import threading
from collections.abc import Callable
from enum import Enum, auto
from types import TracebackType
from typing import Self

CHUNK = 65_536
START_TIMEOUT_S = 10.0


class Mode(Enum):
    PASS = auto()
    STALL = auto()  # what is sent arrives when the stall is over, as by TCP's own repetition
    CUT = auto()  # connections end with a reset, new ones likewise
    BLACK_HOLE = auto()  # connections stay open and carry nothing, new ones likewise


class Proxy:
    """Between whoever connects to `port` (loopback) and `target`. Methods are for any thread.

    A connection that was in a black hole stays silent for ever, as one that a firewall has
    forgotten: only who connects anew gets through again.
    """

    def __init__(self, target: tuple[str, int]) -> None:
        self.port = 0
        self.connections = 0  # that were ever made
        self._target = target
        self._mode = Mode.PASS
        self._delay_s = 0.0
        self._links: set[_Link] = set()
        self._loop = asyncio.new_event_loop()
        self._over = asyncio.Event()
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._listening = threading.Event()
        self._thread = threading.Thread(target=self._run, name="proxy", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._listening.wait(START_TIMEOUT_S), "expected the proxy to listen"
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._do(self._over.set)
        self._thread.join(START_TIMEOUT_S)

    # Modes

    def restore(self) -> None:
        """A good network, for connections that were not lost."""
        self._set(Mode.PASS, 0.0)

    def delay(self, each_way_s: float) -> None:
        """Every byte arrives so much later, in order."""
        self._set(Mode.PASS, each_way_s)

    def stall(self) -> None:
        self._set(Mode.STALL, 0.0)

    def cut(self) -> None:
        self._set(Mode.CUT, 0.0)

    def black_hole(self) -> None:
        self._set(Mode.BLACK_HOLE, 0.0)

    def _set(self, mode: Mode, delay_s: float) -> None:
        def change() -> None:
            self._mode, self._delay_s = mode, delay_s
            if mode is Mode.STALL:
                self._flowing.clear()
            else:
                self._flowing.set()
            for link in list(self._links):
                if mode is Mode.CUT:
                    link.end()
                elif mode is Mode.BLACK_HOLE:
                    link.silent = True

        self._do(change)

    def _do(self, step: Callable[[], object]) -> None:
        """Run in the proxy's loop, and wait until it is done."""

        async def run() -> None:
            step()

        asyncio.run_coroutine_threadsafe(run(), self._loop).result(START_TIMEOUT_S)

    # The proxy's thread

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_until_complete(self._serve())
        finally:
            # However it ended: a task that outlives its loop is an error in somebody else's test.
            while left := asyncio.all_tasks(self._loop):
                for task in left:
                    task.cancel()
                self._loop.run_until_complete(asyncio.wait(left))
            self._loop.close()

    async def _serve(self) -> None:
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        self._listening.set()
        await self._over.wait()
        server.close()
        for link in list(self._links):
            link.end()
        # Again and again: a connection that was just accepted begins only after the first look.
        while others := asyncio.all_tasks() - {asyncio.current_task()}:
            for task in others:
                task.cancel()
            await asyncio.gather(*others, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        link = _Link(writer)
        self._links.add(link)
        link.silent = self._mode is Mode.BLACK_HOLE
        try:
            if self._mode is not Mode.CUT:
                await self._join(link, reader, writer)
        except OSError:
            pass  # a peer that is gone; the other is told by the end of its link
        finally:
            link.end()
            self._links.discard(link)

    async def _join(
        self, link: "_Link", reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        there, back = await asyncio.open_connection(*self._target)
        link.writers.append(back)
        both = [
            asyncio.ensure_future(self._pump(link, reader, back)),
            asyncio.ensure_future(self._pump(link, there, writer)),
        ]
        try:
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for pump in both:
                pump.cancel()
            await asyncio.gather(*both, return_exceptions=True)

    async def _pump(
        self, link: "_Link", reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        waiting: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()
        carrying = asyncio.ensure_future(self._carry(link, waiting, writer))
        try:
            while data := await reader.read(CHUNK):
                waiting.put_nowait((self._loop.time() + self._delay_s, data))
            if link.silent:
                await asyncio.Event().wait()  # a black hole does not carry the end either
        finally:
            carrying.cancel()
            await asyncio.gather(carrying, return_exceptions=True)

    async def _carry(
        self,
        link: "_Link",
        waiting: "asyncio.Queue[tuple[float, bytes]]",
        writer: asyncio.StreamWriter,
    ) -> None:
        while True:
            due, data = await waiting.get()
            await asyncio.sleep(due - self._loop.time())
            await self._flowing.wait()
            if not link.silent:
                writer.write(data)
                await writer.drain()


class _Link:
    """One connection through the proxy: both its ends."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self.writers = [writer]
        self.silent = False

    def end(self) -> None:
        for writer in self.writers:
            writer.transport.abort()
