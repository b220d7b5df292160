"""A real HTTP server that speaks OpenAI's streaming chat completions, well or badly.

How it behaves stands in the question: `behave=NAME`, one of BEHAVIOURS; without it, normally. It
runs in a thread of its own; tests look at `asked`, `streaming` and `closed`.
"""

import asyncio
import json
import re
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

PIECES = ["The ", "launch ", "is ", "on ", "**Friday**", ", ", "naïvely ", "counted 🚀", "."]
ANSWER = "".join(PIECES)
HEAD = "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nTransfer-Encoding: chunked\r\n{more}\r\n"
_BEHAVE = re.compile(r"behave=([a-z_]+)")


@dataclass
class Exchange:
    """One request, and the way to answer it."""

    body: dict[str, Any]
    authorization: str
    writer: asyncio.StreamWriter
    earlier: int  # requests with the same question before this one

    async def head(
        self, status: str = "200 OK", kind: str = "text/event-stream", more: str = ""
    ) -> None:
        self.writer.write(HEAD.format(status=status, kind=kind, more=more).encode())
        await self.writer.drain()

    async def raw(self, data: bytes) -> None:
        self.writer.write(b"%x\r\n%b\r\n" % (len(data), data))
        await self.writer.drain()

    async def chunk(self, **fields: Any) -> None:
        await self.raw(b"data: " + json.dumps(fields).encode() + b"\n\n")

    async def say(self, text: str) -> None:
        await self.chunk(choices=[{"index": 0, "delta": {"content": text}, "finish_reason": None}])

    async def finish(self, reason: str = "stop") -> None:
        await self.chunk(choices=[{"index": 0, "delta": {}, "finish_reason": reason}])
        await self.chunk(choices=[], usage={"prompt_tokens": 7, "completion_tokens": 9})
        await self.raw(b"data: [DONE]\n\n")
        await self.end()

    async def end(self) -> None:
        self.writer.write(b"0\r\n\r\n")
        await self.writer.drain()

    async def refuse(self, status: str, more: str = "") -> None:
        await self.head(status, "application/json", more)
        await self.raw(json.dumps({"error": {"message": f"got {self.authorization}"}}).encode())
        await self.end()


async def normal(exchange: Exchange) -> None:
    await exchange.head()
    for piece in PIECES:
        await exchange.say(piece)
    await exchange.finish()


async def slow(exchange: Exchange) -> None:
    """100 pieces, 20 ms apart."""
    await exchange.head()
    for number in range(100):
        await exchange.say(f"word{number} ")
        await asyncio.sleep(0.02)
    await exchange.finish()


async def endless(exchange: Exchange) -> None:
    """Until the other side goes."""
    await exchange.head()
    number = 0
    while True:
        await exchange.say(f"word{number} ")
        await asyncio.sleep(0.02)
        number += 1


async def flood(exchange: Exchange) -> None:
    """Endless, and as fast as it is taken."""
    await exchange.head()
    while True:
        await exchange.say("many words " * 50)


async def comments(exchange: Exchange) -> None:
    """Alive, and says nothing."""
    await exchange.head()
    while True:
        await exchange.raw(b": keep-alive\n\n")
        await asyncio.sleep(0.02)


async def silent(exchange: Exchange) -> None:
    await asyncio.sleep(3600)


async def stuck(exchange: Exchange) -> None:
    """Begins, and says no more."""
    await exchange.head()
    await exchange.say("The launch ")
    await asyncio.sleep(3600)


async def cut(exchange: Exchange) -> None:
    """The connection ends within the answer, in the middle of a chunk."""
    await exchange.head()
    await exchange.say("The launch ")
    exchange.writer.write(b"ff\r\ndata: {")
    await exchange.writer.drain()
    exchange.writer.transport.abort()


async def ended_early(exchange: Exchange) -> None:
    """A clean end of the bytes, but not of the answer."""
    await exchange.head()
    await exchange.say("The launch ")
    await exchange.end()


async def limited(exchange: Exchange) -> None:
    """Too much at first."""
    if exchange.earlier:
        await normal(exchange)
    else:
        await exchange.refuse("429 Too Many Requests", "Retry-After: 0.2\r\n")


async def limited_long(exchange: Exchange) -> None:
    await exchange.refuse("429 Too Many Requests", "Retry-After: 3600\r\n")


async def failing(exchange: Exchange) -> None:
    await exchange.refuse("500 Internal Server Error")


async def failing_once(exchange: Exchange) -> None:
    await (normal if exchange.earlier else failing)(exchange)


async def expired(exchange: Exchange) -> None:
    await exchange.refuse("401 Unauthorized")


async def malformed(exchange: Exchange) -> None:
    await exchange.head()
    await exchange.say("The ")
    await exchange.raw(b"data: {this is no JSON\n\n")
    await exchange.finish()


async def strange(exchange: Exchange) -> None:
    """JSON, but nothing of a completion."""
    await exchange.head()
    await exchange.chunk(hello="world")
    await exchange.finish()


async def html(exchange: Exchange) -> None:
    await exchange.head(kind="text/html; charset=utf-8")
    await exchange.raw(b"<html><script>alert(1)</script></html>")
    await exchange.end()


async def script(exchange: Exchange) -> None:
    """An answer that is markup."""
    await exchange.head()
    await exchange.say("<script>document.title = 'gone'</script><b>bold</b>\x00\x1b[31m")
    await exchange.finish()


async def empty(exchange: Exchange) -> None:
    await exchange.head()
    await exchange.finish()


async def filtered(exchange: Exchange) -> None:
    await exchange.head()
    await exchange.finish("content_filter")


async def failed_inside(exchange: Exchange) -> None:
    await exchange.head()
    await exchange.say("The ")
    await exchange.chunk(error={"message": "overloaded"})
    await exchange.end()


async def calling(exchange: Exchange) -> None:
    """Asks for a search first, its arguments in two parts; then says what it was told."""
    await exchange.head()
    results = [one["content"] for one in exchange.body["messages"] if one["role"] == "tool"]
    if results:
        await exchange.say(f"found {results[0]}")
        await exchange.finish()
        return
    for part in (
        {"index": 0, "id": "call1", "function": {"name": "search_memories", "arguments": '{"que'}},
        {"index": 0, "function": {"arguments": 'ry": "launch window"}'}},
    ):
        delta = {"tool_calls": [part]}
        await exchange.chunk(choices=[{"index": 0, "delta": delta, "finish_reason": None}])
    await exchange.finish("tool_calls")


BEHAVIOURS: dict[str, Callable[[Exchange], Awaitable[None]]] = {
    one.__name__: one
    for one in (
        *(normal, slow, endless, flood, comments, silent, stuck, cut, ended_early, limited),
        *(limited_long, failing, failing_once, expired, malformed, strange, html, script),
        *(empty, filtered, failed_inside, calling),
    )
}


@dataclass
class FakeProvider:
    """`asked`: request bodies; `streaming`: exchanges under way; `closed`: cut by the client."""

    url: str = ""
    asked: list[dict[str, Any]] = field(default_factory=list)
    streaming: int = 0
    closed: int = 0

    def questions(self, containing: str) -> list[dict[str, Any]]:
        return [body for body in self.asked if containing in body["messages"][-1]["content"]]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                await self._exchange(head.decode(), reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _exchange(
        self, head: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        fields = dict(
            line.lower().split(": ", 1) for line in head.split("\r\n")[1:] if ": " in line
        )
        body = json.loads(await reader.readexactly(int(fields["content-length"])))
        said = next(one for one in reversed(body["messages"]) if one["role"] == "user")["content"]
        earlier = sum(one["messages"][-1] == body["messages"][-1] for one in self.asked)
        self.asked.append(body)
        found = _BEHAVE.search(said)
        behave = BEHAVIOURS[found[1]] if found else normal
        authorization = fields.get("authorization", "")
        exchange = asyncio.ensure_future(behave(Exchange(body, authorization, writer, earlier)))
        gone = asyncio.ensure_future(reader.read(1))
        self.streaming += 1
        try:
            await asyncio.wait([exchange, gone], return_when=asyncio.FIRST_COMPLETED)
            if not exchange.done():
                self.closed += 1
                exchange.cancel()
                raise ConnectionResetError
            try:
                await exchange
            except ConnectionError:
                self.closed += 1  # noticed while writing
                raise
        finally:
            self.streaming -= 1
            gone.cancel()
            await asyncio.gather(gone, exchange, return_exceptions=True)


@contextmanager
def provider_server() -> Iterator[FakeProvider]:
    """On a free port, in a thread with a loop of its own."""
    fake = FakeProvider()
    loop = asyncio.new_event_loop()
    listening = threading.Event()

    async def listen() -> None:
        server = await asyncio.start_server(fake.serve, "127.0.0.1", 0)
        fake.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
        listening.set()

    def run() -> None:
        asyncio.set_event_loop(loop)
        listener = loop.create_task(listen())
        loop.run_forever()
        listener.cancel()
        for task in asyncio.all_tasks(loop):
            task.cancel()
        loop.run_until_complete(asyncio.sleep(0))
        loop.close()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        assert listening.wait(10)
        yield fake
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
