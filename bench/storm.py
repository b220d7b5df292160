"""`python -m bench.storm`: a crowd connects at once; then its node is killed and it resumes.

Prints connects a second, the health probe during both storms, the time until every client of the
killed node has resumed on the other one, the database reads that this took there, and what was
lost. One client follows `project.N`, `user.N` and `system`, as the workspace does. Messages are
written all the time, on the node that stays.
"""

import argparse
import asyncio
import json
import os
import sys
import time
import urllib.request
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any, Self
from urllib.parse import urlsplit

import psutil
import uvloop

from bench.crowd import Member
from bench.folder import temporary_site
from bench.latency import percentile, running_server
from tests.nodes.backstage import Backstage
from tests.nodes.client import Client
from tests.nodes.installation import Installation
from tests.nodes.server import Server

WAIT_S = 90.0
PROBE_EVERY_S = 0.02
FETCHED_AT_ONCE = 200


class Probe:
    """Asks `/health/live` over and over; milliseconds and failures."""

    def __init__(self, base: str) -> None:
        self._url = f"{base}/health/live"
        self._stopped = False
        self.times_ms: list[float] = []
        self.failed = 0

    def run(self) -> None:
        while not self._stopped:
            begin = time.monotonic()
            try:
                with urllib.request.urlopen(self._url, timeout=10) as answer:
                    self.failed += answer.status != 200
            except OSError:
                self.failed += 1
            self.times_ms.append((time.monotonic() - begin) * 1000)
            time.sleep(PROBE_EVERY_S)

    def stop(self) -> str:
        self._stopped = True
        times = sorted(self.times_ms)
        return (
            f"/health/live p50 {percentile(times, 50):.0f} p99 {percentile(times, 99):.0f} "
            f"max {times[-1]:.0f} ms, not 200: {self.failed} of {len(times)}"
        )


def process_at(base: str) -> int:
    """Which process listens there."""
    port = urlsplit(base).port
    for one in psutil.Process().children(recursive=True):
        if any(c.laddr.port == port for c in one.net_connections("tcp") if c.status == "LISTEN"):
            return int(one.pid)
    raise SystemExit(f"expected one of our servers at {base}, got none")


def cpu_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def database_calls(base: str, key: str) -> int:
    """So far; `key` is that of somebody who may read the status."""
    asked = urllib.request.Request(
        f"{base}/health/counters", headers={"Authorization": f"Api-Key {key}"}
    )
    with urllib.request.urlopen(asked, timeout=10) as answer:
        return int(json.load(answer)["database_calls"])


class Writer:
    """Posts into the rooms in turn, on its own thread; `heads` is where they end."""

    def __init__(self, base: str, key: str, rooms: list[int], interval_s: float) -> None:
        self._client = Client(base.replace("http", "ws", 1) + "/ws", authorization=f"Api-Key {key}")
        self._client.greeted()
        self._rooms = rooms
        self._interval_s = interval_s
        self._stopped = False
        self.heads: dict[str, int] = {}

    def run(self) -> None:
        number = 0
        while not self._stopped:
            stream = f"project.{self._rooms[number % len(self._rooms)]}"
            fields = {"body": f"message {number}", "client_ref": f"storm-{number}"}
            reply = self._client.reply(
                self._client.start("send_message", stream=stream, **fields), 30.0
            )
            assert reply["ok"], reply
            self.heads[stream] = reply["data"]["seq"]
            number += 1
            time.sleep(self._interval_s)

    def stop(self) -> None:
        self._stopped = True


class Storm:
    """The crowd, and who of it is (again) where it should be."""

    def __init__(self, made: dict[str, Any]) -> None:
        rooms, people = made["rooms"], made["people"]
        self.members = [
            Member(
                key,
                (f"project.{rooms[number % len(rooms)]}", f"user.{person}", "system"),
                self._resumed,
            )
            for number, (person, key) in enumerate(zip(people, made["keys"], strict=False))
        ]
        self.waiting = 0
        self._all = asyncio.Event()

    def _resumed(self, member: Member) -> None:
        self.waiting -= 1
        if self.waiting == 0:
            self._all.set()

    def expect_all(self) -> None:
        self.waiting = len(self.members)
        self._all.clear()

    async def all_resumed(self) -> None:
        async with asyncio.timeout(WAIT_S):
            await self._all.wait()

    async def come_by(self, way: str) -> None:
        """How the crowd says who it is from now on: `key`, `ticket` (fetched for each attempt), or
        `held` (the first one is fetched now)."""
        for member in self.members:
            member.by_ticket = way != "key"
        for start in range(0, len(self.members) if way == "held" else 0, FETCHED_AT_ONCE):
            some = self.members[start : start + FETCHED_AT_ONCE]
            tickets = await asyncio.gather(*(member.fetched_ticket() for member in some))
            for member, ticket in zip(some, tickets, strict=True):
                member.ticket = ticket

    def aim(self, base: str) -> None:
        parts = urlsplit(base)
        for member in self.members:
            member.place = (str(parts.hostname), parts.port or 80)


def shown(name: str, values_s: list[float]) -> str:
    ordered = sorted(value * 1000 for value in values_s)
    cells = "".join(f"{percentile(ordered, share):9.0f}" for share in (50, 95, 99))
    return f"{name:<38}{cells}{ordered[-1]:9.0f}"


async def wait_for(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + WAIT_S
    while not condition():
        if time.monotonic() > deadline:
            raise SystemExit(f"expected {what} within {WAIT_S:.0f} s")
        await asyncio.sleep(0.05)


async def measure(options: argparse.Namespace, environment: dict[str, str]) -> None:
    loop = asyncio.get_running_loop()
    loop.set_default_executor(ThreadPoolExecutor(8))
    with Backstage(Installation(environment)) as backstage:
        made = backstage("crowd", people=options.clients, rooms=options.rooms)
    storm = Storm(made)
    with ExitStack() as stack:
        stays = stack.enter_context(running_server(environment, 1))
        stayer = psutil.Process(process_at(stays))
        dies = stack.enter_context(Victim(environment))
        # Connecting
        probe = Probe(dies.base)
        probing = loop.run_in_executor(None, probe.run)
        storm.aim(dies.base)
        storm.expect_all()
        begin = time.monotonic()
        for member in storm.members:
            member.come(0)
        await storm.all_resumed()
        took_s = time.monotonic() - begin
        print(f"{options.clients} connected in {took_s:.2f} s: {options.clients / took_s:.0f}/s")
        print(f"  {probe.stop()}")
        await probing
        # Resuming
        writer = Writer(stays, made["keys"][-1], made["rooms"], options.interval_ms / 1000)
        writing = loop.run_in_executor(None, writer.run)
        await asyncio.sleep(5.0)  # both nodes at rest: joined groups were checked once more
        storm.aim(stays)
        await storm.come_by(options.by)
        probe = Probe(stays)
        probing = loop.run_in_executor(None, probe.run)
        before, cpu_before_s = database_calls(stays, made["keys"][-1]), cpu_s(stayer)
        storm.expect_all()
        killed = time.monotonic()
        dies.kill()
        await storm.all_resumed()
        during, cpu_ms = (
            database_calls(stays, made["keys"][-1]) - before,
            (cpu_s(stayer) - cpu_before_s) * 1000,
        )
        health = probe.stop()
        await probing
        await asyncio.sleep(3.0)
        after = database_calls(stays, made["keys"][-1]) - before
        writer.stop()
        await writing
        await wait_for(lambda: level(storm, writer.heads), "every client at every head")
        print(f"{'ms':<38}{'p50':>9}{'p95':>9}{'p99':>9}{'max':>9}")
        print(
            shown(
                "kill to resumed (with 0-500 of jitter)",
                [m.resumed_at - killed for m in storm.members],
            )
        )
        print(
            shown("connecting to resumed", [m.resumed_at - m.connecting_at for m in storm.members])
        )
        print(f"  {health}")
        print(
            f"database reads per client: {during / options.clients:.3f} until all had resumed, "
            f"{after / options.clients:.3f} with the 3 s after it"
        )
        print(f"server CPU per client: {cpu_ms / options.clients:.2f} ms until all had resumed")
        report_faults(storm)
        for member in storm.members:
            member.stopped = True
            if member.socket is not None:
                member.socket.close()


def level(storm: Storm, heads: dict[str, int]) -> bool:
    return all(
        member.cursors[stream][1] >= heads.get(stream, 0)
        for member in storm.members
        for stream in member.streams
    )


def report_faults(storm: Storm) -> None:
    faults = [fault for member in storm.members for fault in member.faults]
    closes = [code for member in storm.members for code in member.closes]
    print(f"lost, repeated or refused: {len(faults)}; closed by the server: {len(closes)}")
    for fault in faults[:5]:
        print(f"  {fault}", file=sys.stderr)


class Victim:
    """A second server of the same site, which ends by `kill -9`."""

    def __init__(self, environment: dict[str, str]) -> None:
        self._server = Server(Installation(environment))

    def __enter__(self) -> Self:
        self.base = self._server.wait().http
        return self

    def kill(self) -> None:
        self._server.process.kill()

    def __exit__(self, *ended: object) -> None:
        self._server.kill()


def parsed_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clients", type=int, default=2000, help="one person each")
    parser.add_argument("--rooms", type=int, default=20, help="projects that they are spread over")
    parser.add_argument("--interval-ms", type=float, default=50, help="between two messages")
    parser.add_argument(
        "--by",
        choices=("key", "ticket", "held"),
        default="key",
        help="what they come back with: their key, a ticket that they fetch for it, or one that "
        "they fetched just before",
    )
    parser.add_argument("--database-url", default=os.environ.get("DATABASE_URL"))
    options = parser.parse_args()
    if min(options.clients, options.rooms) < 1:
        parser.error("expected at least 1 for --clients and --rooms")
    return options


def main() -> None:
    options = parsed_options()
    with temporary_site("pm-storm-", options.database_url) as environment:
        uvloop.run(measure(options, environment))


if __name__ == "__main__":
    main()
