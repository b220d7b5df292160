"""`python -m bench.memory`: what idle sockets cost a server in resident memory.

Opens authenticated sockets, each of another person, subscribed to a project by its path, in steps
(1,000, 10,000, 15,000) and reads the server's resident memory at each, after two rounds of
heartbeats; at the last step also after messages were fanned out to all of them. The people may be
spread over several projects. The clients are in this process, the server and its Valkey in others.
Also says how long the joining took and the server's CPU per delivery.
"""

import argparse
import asyncio
import base64
import json
import os
import resource
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil
import uvloop

from bench.folder import ALONE
from bench.latency import running_server
from bench.storm import cpu_s, process_at
from tests.nodes.backstage import Backstage
from tests.nodes.client import Client
from tests.nodes.installation import Installation

WAIT_S = 120.0
HEARTBEAT_S = 5.0
JOINING_AT_ONCE = 100
SPARE_FILES = 500
BODY = "x" * 60  # makes an event frame of about 350 bytes
_TEXT, _CLOSE, _PING = 0x1, 0x8, 0x9


@dataclass
class Step:
    """One line of the table. Memory in bytes."""

    sockets: int
    resident: int
    per_socket: float | None = None
    joined_s: float | None = None
    resident_after_fan_outs: int | None = None
    cpu_us_per_delivery: float | None = None


class Idler(asyncio.Protocol):
    """A client that counts what it is sent and keeps nothing of it."""

    __slots__ = ("_buffer", "_request", "_transport", "events", "subscribed", "upgraded")

    def __init__(self, request: bytes) -> None:
        self._request = request
        self._buffer = b""
        self._transport: Any = None
        self.upgraded = False
        self.events = 0
        self.subscribed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._transport.write(self._request)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.subscribed.done():
            self.subscribed.set_exception(ConnectionResetError("expected a subscription, got EOF"))

    def data_received(self, data: bytes) -> None:
        data = self._buffer + data
        if not self.upgraded:
            end = data.find(b"\r\n\r\n")
            if end < 0:
                self._buffer = data
                return
            data, self.upgraded = data[end + 4 :], True
        start = 0
        while (stop := self._end(data, start)) is not None:
            self._take(data[start] & 0x0F, data, start, stop)
            start = stop
        self._buffer = data[start:]

    @staticmethod
    def _end(data: bytes, start: int) -> int | None:
        """Where the frame that begins at `start` ends, None when it is not all there."""
        if len(data) - start < 4:
            return None
        length, head = data[start + 1] & 0x7F, 2
        if length >= 126:
            size = 2 if length == 126 else 8
            length, head = int.from_bytes(data[start + 2 : start + 2 + size], "big"), 2 + size
        end = start + head + length
        return end if end <= len(data) else None

    def _take(self, opcode: int, data: bytes, start: int, end: int) -> None:
        if opcode == _PING:
            self._transport.write(b"\x8a\x84\0\0\0\0" + data[end - 4 : end])
        elif opcode == _CLOSE:
            self._transport.close()
        elif data.find(b'{"type":"new_message"', start, start + 30) >= 0:
            self.events += 1
        elif not self.subscribed.done() and data.find(b'{"reply":0', start, start + 14) >= 0:
            assert data.find(b'"ok":true', start, end) >= 0, data[start:end]
            self.subscribed.set_result(None)

    def close(self) -> None:
        self._transport.abort()


def request(base: str, project: int, key: str) -> bytes:
    nonce = base64.b64encode(os.urandom(16)).decode()
    return (
        f"GET /ws/projects/{project} HTTP/1.1\r\nHost: {urlsplit(base).netloc}\r\n"
        f"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: {nonce}\r\n"
        f"Sec-WebSocket-Version: 13\r\nAuthorization: Api-Key {key}\r\n\r\n"
    ).encode()


async def join(base: str, members: Sequence[tuple[int, str]]) -> list[Idler]:
    """One socket for each project and key."""
    loop, place = asyncio.get_running_loop(), urlsplit(base)
    door = asyncio.Semaphore(JOINING_AT_ONCE)

    async def enter(member: tuple[int, str]) -> Idler:
        async with door:
            idler = Idler(request(base, *member))
            await loop.create_connection(lambda: idler, str(place.hostname), place.port or 80)
            async with asyncio.timeout(WAIT_S):
                await idler.subscribed
            return idler

    return list(await asyncio.gather(*map(enter, members)))


async def fan_out(author: Client, rooms: Sequence[int], idlers: list[Idler], count: int) -> None:
    """So many messages in every room, one by one, until everybody has all of them."""
    loop = asyncio.get_running_loop()
    wanted = idlers[0].events + count
    for number in range(count):
        for room in rooms:
            sent = author.start(
                "send_message",
                stream=f"project.{room}",
                body=BODY,
                client_ref=f"{room}-{number}",
            )
            reply = await loop.run_in_executor(None, author.reply, sent, WAIT_S)
            assert reply["ok"], reply
    deadline = time.monotonic() + WAIT_S
    while any(idler.events < wanted for idler in idlers):
        if time.monotonic() > deadline:
            raise SystemExit(f"expected everybody to have all messages within {WAIT_S:.0f} s")
        await asyncio.sleep(0.1)


async def measure(options: argparse.Namespace, environment: dict[str, str]) -> list[Step]:
    with Backstage(Installation(environment)) as backstage:
        made = backstage("crowd", people=max(options.sockets), rooms=options.rooms)
    rooms, keys = made["rooms"], made["keys"]
    members = [(rooms[number % len(rooms)], key) for number, key in enumerate(keys[:-1])]
    steps: list[Step] = []
    with ExitStack() as stack:
        base = stack.enter_context(running_server(environment, 1))
        server = psutil.Process(process_at(base))
        await asyncio.sleep(2 * HEARTBEAT_S)
        empty = server.memory_info().rss
        steps.append(Step(0, empty))
        show(steps[-1])
        idlers: list[Idler] = []
        for count in options.sockets:
            began = time.monotonic()
            idlers += await join(base, members[len(idlers) : count])
            joined_s = time.monotonic() - began
            await asyncio.sleep(2 * HEARTBEAT_S)
            resident = server.memory_info().rss
            steps.append(Step(count, resident, (resident - empty) / count, joined_s))
            show(steps[-1])
        if options.fan_outs:
            author = stack.enter_context(
                Client(base.replace("http", "ws", 1) + "/ws", authorization=f"Api-Key {keys[-1]}")
            ).greeted()
            before_s = cpu_s(server)
            await fan_out(author, rooms, idlers, options.fan_outs)
            spent_us = (cpu_s(server) - before_s) * 1e6
            steps[-1].cpu_us_per_delivery = spent_us / options.fan_outs / len(idlers)
            await asyncio.sleep(HEARTBEAT_S)
            steps[-1].resident_after_fan_outs = server.memory_info().rss
        for idler in idlers:
            idler.close()
    return steps


def show(step: Step) -> None:
    """A line as soon as it is known."""
    each = f"{step.per_socket / 1024:.2f} KiB" if step.per_socket is not None else ""
    joined = f"{step.joined_s:.1f} s" if step.joined_s is not None else ""
    print(f"{step.sockets:>8}{step.resident / 1e6:>9.1f} MB{each:>11}{joined:>12}", flush=True)


def parsed_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sockets", type=int, nargs="+", default=[1_000, 10_000, 15_000])
    parser.add_argument("--rooms", type=int, default=1, help="projects that they are spread over")
    parser.add_argument("--fan-outs", type=int, default=100)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there, too")
    parser.add_argument("--database-url", default=os.environ.get("DATABASE_URL"))
    options = parser.parse_args()
    if options.rooms < 1 or options.fan_outs < 0:
        parser.error("expected at least 1 for --rooms and 0 for --fan-outs")
    if sorted(set(options.sockets)) != options.sockets or options.sockets[0] < 1:
        parser.error("--sockets: expected rising numbers from 1 on")
    needed = options.sockets[-1] + SPARE_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < needed:
        parser.error(f"expected `ulimit -n` to allow {needed} open files, got {hard}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, needed), hard))
    return options


def main() -> None:
    options = parsed_options()
    with tempfile.TemporaryDirectory(prefix="pm-memory-") as folder:
        environment = {
            **os.environ,
            **ALONE,
            "DATA_DIR": folder,
            "DEBUG": "false",
            "SECRET_KEY": base64.b64encode(os.urandom(48)).decode(),
            "ALLOWED_HOSTS": "127.0.0.1",
            "DJANGO_SETTINGS_MODULE": "pm_project.settings",
            "DATABASE_URL": options.database_url or "",
            "PYTHONUNBUFFERED": "1",
            "WEBSOCKET_MAX_CONNECTIONS": str(options.sockets[-1] + SPARE_FILES),
            "WEBSOCKET_HEARTBEAT_INTERVAL": str(HEARTBEAT_S),
        }
        print(f"{'sockets':>8}{'resident':>12}{'each':>11}{'joined in':>12}")
        steps = uvloop.run(measure(options, environment))
    last = steps[-1]
    if last.resident_after_fan_outs is not None:
        print(f"after the fan-outs {last.resident_after_fan_outs / 1e6:.1f} MB")
        print(f"server CPU per delivery {last.cpu_us_per_delivery:.1f} us")
    if options.json is not None:
        options.json.write_text(json.dumps([asdict(step) for step in steps], indent=2) + "\n")


if __name__ == "__main__":
    main()
