"""A rolling restart of two nodes under load, and what its clients noticed.

Used by the test and by `python -m bench.rolling`, which prints the numbers.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.faults.ending import Ended, stop_node
from tests.faults.roaming import Front, Move, Poster, Reader, Roamer
from tests.nodes.backstage import Backstage
from tests.nodes.installation import temporary_installation
from tests.nodes.server import Server

CAUGHT_UP_S = 15.0
CALM_S = 1.0  # between two restarts, with everybody at work


@dataclass(frozen=True)
class Load:
    """`window_s` is DRAIN_WINDOW, in seconds."""

    readers: int = 36
    posters: int = 3
    every_s: float = 0.1
    window_s: float = 3.0


@dataclass(frozen=True)
class Record:
    """What came of it. `first` is the stream's head before, `posted` the bodies that were taken."""

    first: int
    head: int
    posted: Sequence[str]
    readers: Sequence[Reader]
    posters: Sequence[Poster]
    stops: Sequence[Ended]

    @property
    def moves(self) -> list[Move]:
        roamers: list[Roamer] = [*self.readers, *self.posters]
        return [move for roamer in roamers for move in roamer.moves]

    @property
    def codes(self) -> Counter[int]:
        """How sockets ended, all over."""
        roamers: list[Roamer] = [*self.readers, *self.posters]
        return Counter(code for roamer in roamers for code in roamer.codes)

    def lost(self) -> int:
        expected = set(range(self.first + 1, self.head + 1))
        return sum(len(expected - set(reader.seqs)) for reader in self.readers)

    def repeated(self) -> int:
        return sum(len(reader.seqs) - len(set(reader.seqs)) for reader in self.readers)

    def reordered(self) -> int:
        return sum(
            earlier > later
            for reader in self.readers
            for earlier, later in zip(reader.seqs, reader.seqs[1:], strict=False)
        )

    def phantom(self) -> int:
        """Seen by a client, and not what a poster was told is stored, once each."""
        expected = Counter(self.posted)
        return sum((Counter(reader.bodies) - expected).total() for reader in self.readers)


def roll(folder: Path, load: Load, say: Callable[[str], object] = lambda _: None) -> Record:
    """Start two nodes in `folder`, load them, restart one after the other."""
    with ExitStack() as stack:
        window = f"{load.window_s:g}"
        installation = stack.enter_context(temporary_installation(folder, DRAIN_WINDOW=window))
        backstage = stack.enter_context(Backstage(installation))
        team = backstage("team")
        nodes: list[Server] = []
        stack.callback(lambda: [node.stop() for node in reversed(nodes)])

        def start() -> Server:
            nodes.append(Server(installation))
            return nodes[-1].wait()

        running = [start(), start()]
        record = asyncio.run(_rolled(load, backstage, team, running, start, say))
    for node in nodes:
        # The channel layer says with a traceback that its Valkey went with the first node.
        faults = [line for line in node.log if " ERROR " in line and "channels_redis" not in line]
        assert not faults, node.text[-5000:]
    return record


async def _rolled(
    load: Load,
    backstage: Backstage,
    team: dict[str, Any],
    running: list[Server],
    start: Callable[[], Server],
    say: Callable[[str], object],
) -> Record:
    stream = f"project.{team['project']}"
    first = backstage("head", stream=stream)
    front = Front([node.ws for node in running])
    keys = [team["people"][name]["key"] for name in ("ada", "bob")]

    def place(number: int) -> dict[str, Any]:
        """Every other client begins on the other node."""
        authorization = f"Api-Key {keys[number % len(keys)]}"
        address = front.addresses[number % 2]
        return {
            "front": front,
            "authorization": authorization,
            "stream": stream,
            "address": address,
        }

    readers = [Reader(**place(number)) for number in range(load.readers)]
    posters = [
        Poster(**place(number), name=f"p{number}", every_s=load.every_s)
        for number in range(load.posters)
    ]
    async with asyncio.TaskGroup() as tasks:
        for reader in readers:
            tasks.create_task(reader.run())
        await asyncio.gather(*(reader.ready.wait() for reader in readers))
        for poster in posters:
            tasks.create_task(poster.run())
        stops = await _restart_all(running, front, start, say)
        for poster in posters:
            poster.over.set()
        say("waiting until everybody has everything")
        head = await _settled(backstage, stream, posters)
        await _caught_up(readers, head)
        for reader in readers:
            reader.over.set()
    posted = [body for poster in posters for body in poster.sent]
    return Record(first, head, posted, readers, posters, stops)


async def _restart_all(
    running: list[Server],
    front: Front,
    start: Callable[[], Server],
    say: Callable[[str], object],
) -> list[Ended]:
    stops = []
    for index, node in enumerate(list(running)):
        await asyncio.sleep(CALM_S)
        say(f"node {index + 1}: stopping")
        stops.append(await asyncio.to_thread(stop_node, node))
        front.addresses.remove(node.ws)
        say(f"node {index + 1}: stopped after {stops[-1].took_s:.1f} s, starting its successor")
        successor = await asyncio.to_thread(start)
        front.addresses.append(successor.ws)
    await asyncio.sleep(CALM_S)
    return stops


async def _settled(backstage: Backstage, stream: str, posters: Sequence[Poster]) -> int:
    """The head once the posters have their last answers."""
    async with asyncio.timeout(CAUGHT_UP_S):
        before = -1
        while before != (before := sum(len(poster.sent) for poster in posters)):
            await asyncio.sleep(0.5)
    return int(await asyncio.to_thread(backstage, "head", stream=stream))


async def _caught_up(readers: Sequence[Reader], head: int) -> None:
    """Wait until each has the last event; whoever never gets it shows up as lost."""

    def complete() -> bool:
        return all(reader.seqs[-1:] == [head] for reader in readers)

    with suppress(TimeoutError):
        async with asyncio.timeout(CAUGHT_UP_S):
            while not complete():
                await asyncio.sleep(0.05)
