"""How long healing takes, one fault at a time: `python -m tests.faults.measure [--times 5]`.

A dropped hint: from the commit of a process that dies before it tells anybody until the last
client has the event. A dead layer: from `kill -9` (or SIGSTOP, or a black hole) until every client
of the other node has within `NOTICED_S` what is posted on the first one, then and ever after.
"""

import argparse
import asyncio
import random
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import httpx

from tests.faults.clients import Client
from tests.faults.database import read_heads
from tests.faults.harness import World, world
from tests.faults.injections import Injections
from tests.faults.processes import until
from tests.faults.proxy import Proxy
from tests.faults.report import ms
from tests.faults.schedule import Variant

CLIENTS = 6
NOTICED_S = 1.0  # what a node that polls needs, and one that hears nothing does not reach by luck
POST_EVERY_S = 0.1
DEAD_FOR_S = 12.0
QUIET_S = 12.0  # between two measurements: healing may have made nodes poll, and they return
GOAL_S = 5.0


class Room:
    """Clients of one project on both nodes that note when each event came."""

    def __init__(self, place: World) -> None:
        self.place = place
        self.stream = f"project.{place.projects[0]}"
        self.clients = [
            Client(f"m{n}", place.people[n % len(place.people)], [address], [self.stream])
            for n in range(CLIENTS)
            for address in place.addresses(far=False, first=n % 2)[:1]
        ]
        for client in self.clients:
            client.timing = True

    @property
    def head(self) -> int:
        return read_heads(self.place.database_url)[self.stream]

    async def arrived(self, seq: int, timeout_s: float = 15.0) -> float:
        """When the last client had it."""

        async def everywhere() -> bool:
            return all((self.stream, seq) in client.arrivals for client in self.clients)

        await until(everywhere, f"#{seq} at every client", timeout_s, 0.01)
        return max(client.arrivals[self.stream, seq] for client in self.clients)


async def healed_after(room: Room) -> float:
    """Seconds until an event that nobody was told of is everywhere."""
    before = room.head
    injections = Injections(room.place, room.clients, len(room.clients))
    dying = asyncio.ensure_future(
        injections.die_before_sending(0, random.Random(0), project=room.place.projects[0])
    )

    async def committed() -> bool:
        return room.head > before

    await until(committed, "the commit", 30, 0.005)
    began = time.monotonic()
    took_s = await room.arrived(before + 1) - began
    await dying
    return took_s


async def noticed_after(room: Room, fault: Callable[[float], Awaitable[None]]) -> float:
    """Seconds from the fault until posts on node 0 reach the clients of node 1 in time again."""
    place, posts = room.place, list[tuple[int, float]]()
    headers = {"Authorization": f"Api-Key {place.people[0]['key']}"}
    path = f"{place.nodes[0].http}/api/projects/{place.projects[0]}/messages/"
    began = time.monotonic()
    failing = asyncio.ensure_future(fault(DEAD_FOR_S))
    async with httpx.AsyncClient(headers=headers, timeout=10) as http:
        while time.monotonic() < began + DEAD_FOR_S - NOTICED_S:
            answer = await http.post(path, json={"body": "tick"})
            posts.append((answer.json()["seq"], time.monotonic()))
            await asyncio.sleep(POST_EVERY_S)
    await failing
    await room.arrived(posts[-1][0])
    late = [
        posted
        for seq, posted in posts
        for client in room.clients[1::2]
        if client.arrivals[room.stream, seq] - posted > NOTICED_S
    ]
    return max(late) - began if late else 0.0


async def measure(times: int, folder: Path) -> bool:
    """Print both; whether they are within the goal."""
    async with world(Variant("postgresql", "external"), folder) as place:
        room = Room(place)
        tasks = [asyncio.create_task(client.run()) for client in room.clients]
        try:

            async def subscribed() -> bool:
                return all(client.subscribed for client in room.clients)

            await until(subscribed, "every client to subscribe", 30)
            injections = Injections(place, room.clients, len(room.clients))
            dice = random.Random(0)
            await asyncio.sleep(QUIET_S)
            healed = []
            for _ in range(times):
                healed.append(await healed_after(room))
                await asyncio.sleep(QUIET_S)
            good = tell("a dropped hint healed after", healed)
            for name, fault in (
                ("killed", lambda for_s: injections.kill_layer(for_s, dice)),
                ("stopped", lambda for_s: injections.stop_layer(for_s, dice)),
                (
                    "black-holed",
                    lambda for_s: injections.spoil(place.layer_links, Proxy.black_hole, for_s),
                ),
            ):
                noticed = []
                for _ in range(max(1, times // 3)):
                    noticed.append(await noticed_after(room, fault))
                    await asyncio.sleep(QUIET_S)
                good = tell(f"a layer {name} noticed after", noticed) and good
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
    return good


def tell(what: str, seconds: list[float]) -> bool:
    """One line of numbers; whether they are within the goal."""
    sys.stdout.write(
        f"{what}: p50 {ms(seconds, 0.5):.0f} ms, most {ms(seconds, 1.0):.0f} ms "
        f"({len(seconds)} times; goal {GOAL_S:g} s)\n"
    )
    sys.stdout.flush()
    return max(seconds) <= GOAL_S


def main() -> int:
    """Exit status 0 when every number is within the goal."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.measure", description=__doc__)
    parser.add_argument("--times", type=int, default=6)
    times = parser.parse_args().times
    with tempfile.TemporaryDirectory(prefix="pm-faults-", ignore_cleanup_errors=True) as folder:
        return 0 if asyncio.run(measure(times, Path(folder))) else 1


if __name__ == "__main__":
    sys.exit(main())
