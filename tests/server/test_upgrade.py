"""The short way of the opening handshake takes nothing that the library would refuse."""

import asyncio
import socket
from collections.abc import Sequence
from typing import Any

import pytest
import uvicorn

from realtime.server.prepared import PREPARED_FRAMES, PreparedProtocol
from realtime.server.upgrade import Arrival, HttpProtocol, plain_handshake

KEY = b"dGhlIHNhbXBsZSBub25jZQ=="  # the example of RFC 6455, section 1.3
PLAIN = [
    (b"host", b"x"),
    (b"connection", b"Upgrade"),
    (b"upgrade", b"websocket"),
    (b"sec-websocket-key", KEY),
    (b"sec-websocket-version", b"13"),
]
LIMIT_S = 5.0


def but(name: bytes, *values: bytes) -> list[tuple[bytes, bytes]]:
    """The plain headers with one of them otherwise: changed, missing, or more than once."""
    others = [header for header in PLAIN if header[0] != name]
    return [*others, *((name, value) for value in values)]


FAULTY = {
    "no key": but(b"sec-websocket-key"),
    "two keys": but(b"sec-websocket-key", KEY, KEY),
    "short key": but(b"sec-websocket-key", b"c2hvcnQ="),
    "key that is no base64": but(b"sec-websocket-key", b"!" * 24),
    "no version": but(b"sec-websocket-version"),
    "other version": but(b"sec-websocket-version", b"8"),
    "two versions": but(b"sec-websocket-version", b"13", b"13"),
    "two upgrades": but(b"upgrade", b"websocket", b"websocket"),
    "two origins": [*PLAIN, (b"origin", b"http://a"), (b"origin", b"http://b")],
    "malformed subprotocol": [*PLAIN, (b"sec-websocket-protocol", b"a b")],
}
UNUSUAL = {
    "other list of options": but(b"connection", b"Upgrade, TE"),
    "no upgrade": but(b"upgrade", b"h2c"),
    "body": [*PLAIN, (b"content-length", b"0")],
    "many headers": PLAIN + [(b"x", b"y")] * 100,
    "subprotocols in two headers": [*PLAIN, *[(b"sec-websocket-protocol", b"a")] * 2],
}


def test_plain_handshake_is_answered_as_the_rfc_says() -> None:
    handshake = plain_handshake([*PLAIN, (b"sec-websocket-protocol", b"pm.v1, pm.ticket.x")])
    assert handshake is not None
    assert handshake.accept == b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
    assert handshake.subprotocols == ["pm.v1", "pm.ticket.x"]


@pytest.mark.parametrize("headers", [*FAULTY.values(), *UNUSUAL.values()], ids=[*FAULTY, *UNUSUAL])
def test_whatever_is_unusual_is_left_to_the_library(headers: list[tuple[bytes, bytes]]) -> None:
    assert plain_handshake(headers) is None


class Application:
    """Accepts, and hands over or goes on by ASGI: either way one text, one answer, and the end."""

    def __init__(self) -> None:
        self.scopes: list[dict[str, Any]] = []
        self.codes: list[int] = []
        self.wire: Any = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.scopes.append({**scope, "server": None, "client": None})
        await receive()
        if scope["path"] == "/refused":
            await send({"type": "websocket.close"})
            return
        headers = [(b"x-more", b"1")]
        await send({"type": "websocket.accept", "subprotocol": "a", "headers": headers})
        if scope["path"] == "/handed-over":
            self.wire = scope["extensions"][PREPARED_FRAMES]["hand_over"]()
            self.wire.write_soon(b"\x81\x02hi")
            self.wire.start(self)
            return
        await send({"type": "websocket.send", "text": "hi"})
        self.codes.append((await receive())["code"])

    def text_received(self, text: str) -> None: ...

    def binary_received(self, data: bytes) -> None: ...

    def disconnected(self, code: int) -> None:
        self.codes.append(code)


def answers(http: Any, requests: Sequence[bytes], application: Application) -> list[bytes]:
    """What a server with that HTTP protocol answers, each on a connection of its own; `Date` is
    left out, and all else in lower case. A socket that opens is closed with 4000 once greeted."""

    async def ask(address: Any, request: bytes) -> bytes:
        reader, writer = await asyncio.open_connection(*address)
        writer.write(request)
        answer = await reader.readuntil(b"\r\n\r\n")
        if b" 101 " in answer:
            answer += await reader.readexactly(4)
            writer.write(b"\x88\x82\0\0\0\0\x0f\xa0")
        answer += await reader.read()
        writer.close()
        head, _, frames = answer.partition(b"\r\n\r\n")
        lines = [one.lower() for one in head.split(b"\r\n")]
        kept = sorted(one for one in lines if not one.startswith(b"date:"))
        return b"\n".join([*kept, frames])

    async def run() -> list[bytes]:
        config = uvicorn.Config(
            application,
            http=http,
            ws=PreparedProtocol,
            ws_per_message_deflate=False,
            lifespan="off",
            log_level="critical",
        )
        server = uvicorn.Server(config)
        listener = socket.create_server(("127.0.0.1", 0))
        serving = asyncio.create_task(server.serve([listener]))
        try:
            async with asyncio.timeout(4 * LIMIT_S):
                return [await ask(listener.getsockname(), request) for request in requests]
        finally:
            server.should_exit = True
            await serving

    return asyncio.run(run())


def written(headers: list[tuple[bytes, bytes]], line: bytes = b"GET / HTTP/1.1") -> bytes:
    return b"\r\n".join([line, *(b"%b: %b" % header for header in headers), b"", b""])


def test_both_ways_answer_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    """Faulty handshakes and good ones, handed over or not: the same status, headers and frames,
    and the application sees the same scope. Only the order of the headers may differ."""
    taken: list[Arrival] = []
    begin = Arrival.begin

    def noted(arrival: Arrival) -> None:
        taken.append(arrival)
        begin(arrival)

    monkeypatch.setattr(Arrival, "begin", noted)
    offered = [*PLAIN, (b"sec-websocket-protocol", b"a,b"), (b"cookie", b"k=v")]
    good = [
        written(PLAIN),
        written(offered, b"GET /some%20where?x=%20y&z HTTP/1.1"),
        written(offered, b"GET /handed-over HTTP/1.1"),
        written(PLAIN, b"GET /refused HTTP/1.1"),
    ]
    bad = [written(headers) for headers in FAULTY.values()]
    bad += [written(PLAIN, b"POST / HTTP/1.1")]
    good_and_unusual = written(but(b"connection", b"Upgrade, TE"))
    asked = [*good, good_and_unusual, *bad]
    theirs, ours = Application(), Application()
    expected = answers("httptools", asked, theirs)
    assert not taken
    got = answers(HttpProtocol, asked, ours)
    assert len(taken) == len(good)
    assert got == expected
    assert ours.codes == theirs.codes == [4000] * 4
    for mine, original in zip(ours.scopes, theirs.scopes, strict=True):
        assert list(mine["extensions"]) == list(original["extensions"])
        assert mine | {"extensions": 0} == original | {"extensions": 0}
