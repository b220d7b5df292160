"""`python -m bench.slow`: what one reader that stops reading costs the other 199 of its room.

Messages of 12 KB go into a room of 200; first everybody reads, then one stops in the middle of it,
then everybody reads again. Prints the others' latency in each part (from the event's `ts`, taken in
the writing transaction, to its receipt), the server's memory, and whether the one that had stopped
missed anything. The parts alternate several times, so that a busy machine disturbs both alike.
"""

import argparse
import asyncio
import os
import socket
import time
import uuid
from contextlib import ExitStack
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import psutil
import uvloop

from bench.crowd import Member, Wire
from bench.folder import temporary_site
from bench.latency import percentile, running_server
from bench.storm import process_at
from tests.nodes.backstage import Backstage
from tests.nodes.client import Client
from tests.nodes.installation import Installation

WAIT_S = 60.0
BODY = "x" * 12_000


class Listener(Member):
    """A member that notes how late each event came."""

    late_ms: list[float]

    def take(self, frame: dict[str, Any]) -> None:
        super().take(frame)
        if frame.get("type") == "new_message":
            written = datetime.fromisoformat(frame["ts"]).timestamp()
            self.late_ms.append((time.time() - written) * 1000)


def quiet(member: Member) -> None:
    del member


def listener(key: str, stream: str, base: str) -> Listener:
    made = Listener(key, (stream,), quiet)
    made.late_ms = []
    parts = urlsplit(base)
    made.place = (str(parts.hostname), parts.port or 80)
    return made


async def until(condition: Any, what: str) -> None:
    deadline = time.monotonic() + WAIT_S
    while not condition():
        if time.monotonic() > deadline:
            raise SystemExit(f"expected {what} within {WAIT_S:.0f} s")
        await asyncio.sleep(0.02)


async def measure(options: argparse.Namespace, environment: dict[str, str]) -> None:
    with Backstage(Installation(environment)) as backstage:
        made = backstage("crowd", people=options.clients, rooms=1)
    stream = f"project.{made['rooms'][0]}"
    with ExitStack() as stack:
        base = stack.enter_context(running_server(environment, 1))
        server = psutil.Process(process_at(base))
        members = [listener(key, stream, base) for key in made["keys"][:-1]]
        for member in members:
            member.come(0)
        await until(lambda: all(member.resumed_at for member in members), "everyone in the room")
        author = stack.enter_context(
            Client(
                base.replace("http", "ws", 1) + "/ws", authorization=f"Api-Key {made['keys'][-1]}"
            )
        ).greeted()
        slow, others = members[0], members[1:]
        assert isinstance(slow.socket, Wire)
        shrink(slow.socket)
        await post(author, stream, others, options.warm_up)
        for member in members:
            member.late_ms.clear()
        late: dict[str, list[float]] = {"everyone reads": [], "one has stopped": []}
        memory: dict[str, float] = {}
        for _ in range(options.rounds):
            for name, pausing in (("everyone reads", False), ("one has stopped", True)):
                if pausing:
                    slow.socket.pause()
                head = await post(author, stream, others, options.count)
                memory[name] = max(memory.get(name, 0), server.memory_info().rss / 2**20)
                late[name] += [one for member in others for one in member.late_ms]
                if pausing:
                    behind = head - slow.cursors[stream][1]
                    print(f"the one that had stopped was {behind} events behind")
                    slow.socket.resume()
                    await until(lambda: slow.cursors[stream][1] >= head, "the slow one level")  # noqa: B023
                for member in members:
                    member.late_ms.clear()
        show(late, memory)
        faults = [fault for member in members for fault in member.faults]
        closed = [code for member in members for code in member.closes]
        print(f"lost or repeated: {len(faults)}; closed by the server: {closed or 0}")
        for member in members:
            member.stopped = True
            if member.socket is not None:
                member.socket.close()


def shrink(wire: Wire) -> None:
    """Less of the network's own buffering, so that the server feels the silence soon."""
    wire.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)


async def post(author: Client, stream: str, others: list[Listener], count: int) -> int:
    """Write, and wait until all others have it. The head."""
    loop = asyncio.get_running_loop()
    head = 0
    for _ in range(count):
        ref = uuid.uuid4().hex
        sent = author.start("send_message", stream=stream, body=BODY, client_ref=ref)
        reply = await loop.run_in_executor(None, author.reply, sent, 30.0)
        assert reply["ok"], reply
        head = reply["data"]["seq"]
        await asyncio.sleep(0.01)
    await until(lambda: all(one.cursors[stream][1] >= head for one in others), "the others level")
    return head


def show(late: dict[str, list[float]], memory: dict[str, float]) -> None:
    print(f"{'ms':<20}{'p50':>9}{'p95':>9}{'p99':>9}{'max':>9}{'server MiB':>12}")
    for name, values in late.items():
        ordered = sorted(values)
        cells = "".join(f"{percentile(ordered, share):9.1f}" for share in (50, 95, 99))
        print(f"{name:<20}{cells}{ordered[-1]:9.1f}{memory[name]:12.0f}")
    before, after = (percentile(sorted(values), 99) for values in late.values())
    print(f"p99 moved by {(after / before - 1) * 100:+.1f} %")


def parsed_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clients", type=int, default=200)
    parser.add_argument("--count", type=int, default=300, help="messages in each part")
    parser.add_argument("--rounds", type=int, default=2, help="how often the parts alternate")
    parser.add_argument("--warm-up", type=int, default=50)
    parser.add_argument("--database-url", default=os.environ.get("DATABASE_URL"))
    options = parser.parse_args()
    if min(options.clients - 1, options.count, options.rounds) < 1:
        parser.error("expected at least 2 --clients, and 1 for --count and --rounds")
    return options


def main() -> None:
    options = parsed_options()
    with temporary_site("pm-slow-", options.database_url) as environment:
        uvloop.run(measure(options, environment))


if __name__ == "__main__":
    main()
