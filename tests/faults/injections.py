"""The faults themselves: a method for each kind of the schedule. Each one undoes what it did."""

import asyncio
import random
import signal
import socket
import sqlite3
import subprocess
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import psutil
import psycopg

from tests.faults.clients import Client
from tests.faults.database import open_runs
from tests.faults.harness import World
from tests.faults.proxy import Proxy
from tests.faults.schedule import Planned
from tests.nodes.installation import ROOT

BURST_MESSAGES = 400
BURST_BODY = "burst " + "x" * 2_000  # together more than a socket's buffers hold
BACKSTAGE_ATTEMPTS = 5
DELAY_S = 0.3  # each way
SPEAKING_WITHIN_S = 3.0


def _slow(link: Proxy) -> None:
    link.delay(DELAY_S)


class Injections:
    """`injected` counts the faults that took place; `notes` says what could not be done.

    Every method takes how long the fault lasts and the dice that choose what it hits.
    """

    def __init__(self, world: World, clients: Sequence[Client], near: int) -> None:
        self._world = world
        self._clients = clients
        self._near = near  # the first clients have no link that could fail
        self.injected: Counter[str] = Counter()
        self.notes: list[str] = []

    async def follow(self, planned: Sequence[Planned], say: Callable[[str], None]) -> None:
        """The faults of one lane, one after another, until cancelled between two of them."""
        for one in planned:
            await asyncio.sleep(one.wait_s)
            say(f"{one.kind.name} {one.for_s:.1f} s" if one.for_s else one.kind.name)
            inject = getattr(self, one.kind.name)
            # Shielded: a fault that has begun ends as it should, also at the end of the run.
            running = asyncio.ensure_future(inject(one.for_s, random.Random(one.choice)))
            try:
                await asyncio.shield(running)
            except asyncio.CancelledError:
                await running
                raise
            finally:
                self.injected[one.kind.name] += 1

    # Nodes

    async def kill_node(self, for_s: float, dice: random.Random) -> None:
        """kill -9, and another process on the same port after a while."""
        node = dice.choice(self._world.nodes)
        await node.kill()
        await asyncio.sleep(for_s)
        node.start()
        await node.ready()

    async def stop_node(self, for_s: float, dice: random.Random) -> None:
        """SIGSTOP: it hangs, its sockets stay open."""
        node = dice.choice(self._world.nodes)
        node.signal(signal.SIGSTOP)
        await asyncio.sleep(for_s)
        node.signal(signal.SIGCONT)

    async def restart_nodes_in_turn(self, for_s: float, dice: random.Random) -> None:
        """A deploy: SIGTERM, wait for its end, start, wait until it serves, then the next."""
        for node in self._world.nodes:
            node.signal(signal.SIGTERM)
            if (status := await node.ended()) != 0:
                self.notes.append(f"{node.log.stem}: expected exit status 0, got {status}")
            node.start()
            await node.ready()

    # The layer

    async def kill_layer(self, for_s: float, dice: random.Random) -> None:
        """kill -9; the next one is empty. The embedded one is replaced by its node, at once."""
        if (process := self._world.layer_process()) is not None:
            process.kill()
        if (external := self._world.external) is not None:
            await external.ended()
            await asyncio.sleep(for_s)
            external.start()

    async def stop_layer(self, for_s: float, dice: random.Random) -> None:
        """SIGSTOP. The embedded one is found hanging and replaced meanwhile."""
        process = self._world.layer_process()
        if process is None:
            return
        try:
            process.suspend()
            await asyncio.sleep(for_s)
            process.resume()
        except psutil.NoSuchProcess:
            return  # replaced

    async def empty_layer(self, for_s: float, dice: random.Random) -> None:
        """FLUSHALL, and every client of it cut off."""
        await asyncio.to_thread(self._tell_layer, b"FLUSHALL\r\nCLIENT KILL TYPE normal\r\n")

    def _tell_layer(self, commands: bytes) -> None:
        external = self._world.external
        family = socket.AF_UNIX if external is None else socket.AF_INET
        address: Any = ("127.0.0.1", external.port) if external else str(self._world.layer_socket)
        with socket.socket(family, socket.SOCK_STREAM) as connection:
            connection.settimeout(5)
            try:
                connection.connect(address)
                connection.sendall(commands)
                connection.recv(64)
            except OSError as error:
                self.notes.append(f"layer not emptied: {error}")

    async def slow_layer(self, for_s: float, dice: random.Random) -> None:
        await self.spoil(self._some_layer_links(dice), _slow, for_s)

    async def cut_layer(self, for_s: float, dice: random.Random) -> None:
        await self.spoil(self._some_layer_links(dice), Proxy.cut, for_s)

    async def black_hole_layer(self, for_s: float, dice: random.Random) -> None:
        await self.spoil(self._some_layer_links(dice), Proxy.black_hole, for_s)

    def _some_layer_links(self, dice: random.Random) -> list[Proxy]:
        """Of one node or of all: a layer that only one node has lost is another fault."""
        links = self._world.layer_links
        return dice.choice([links, links[:1], links[1:]])

    async def spoil(
        self, links: Sequence[Proxy], spoil: Callable[[Proxy], None], for_s: float
    ) -> None:
        for link in links:
            spoil(link)
        await asyncio.sleep(for_s)
        for link in links:
            link.restore()

    # The database

    async def restart_database(self, for_s: float, dice: random.Random) -> None:
        """An orderly restart: connections end, transactions are rolled back."""
        if (postgres := self._world.postgres) is not None:
            await postgres.down(signal.SIGINT)
            await asyncio.sleep(for_s)
            await postgres.start()

    async def kill_database(self, for_s: float, dice: random.Random) -> None:
        """kill -9 of all its processes: it recovers from its write-ahead log."""
        if (postgres := self._world.postgres) is not None:
            await postgres.down(signal.SIGKILL, whole=True)
            await asyncio.sleep(for_s)
            await postgres.start()

    async def stop_database(self, for_s: float, dice: random.Random) -> None:
        """SIGSTOP of all its processes: queries hang."""
        if (postgres := self._world.postgres) is not None:
            postgres.send(signal.SIGSTOP, whole=True)
            await asyncio.sleep(for_s)
            postgres.send(signal.SIGCONT, whole=True)

    async def lock_database(self, for_s: float, dice: random.Random) -> None:
        """Another process holds SQLite's write lock."""
        await self._world.sqlite.lock(for_s)

    # Workers

    async def kill_worker(self, for_s: float, dice: random.Random) -> None:
        """kill -9 within an answer: its jobs are claimed again once their leases have run out."""
        worker = dice.choice(self._world.workers)
        await self._speaking()
        await worker.kill()
        await asyncio.sleep(for_s)
        worker.start()

    async def stop_worker(self, for_s: float, dice: random.Random) -> None:
        """SIGSTOP, up to longer than a lease: it goes on with jobs that are no longer its own."""
        worker = dice.choice(self._world.workers)
        await self._speaking()
        worker.signal(signal.SIGSTOP)
        await asyncio.sleep(for_s)
        worker.signal(signal.SIGCONT)

    async def restart_worker(self, for_s: float, dice: random.Random) -> None:
        """SIGTERM: it hands its jobs back, and ends."""
        worker = dice.choice(self._world.workers)
        worker.signal(signal.SIGTERM)
        if (status := await worker.ended()) != 0:
            self.notes.append(f"{worker.log.stem}: expected exit status 0, got {status}")
        worker.start()

    async def _speaking(self) -> None:
        """Until a run is under way, a while at most: there may be no worker, or no database."""
        try:
            async with asyncio.timeout(SPEAKING_WITHIN_S):
                while not await asyncio.to_thread(open_runs, self._world.database_url):
                    await asyncio.sleep(0.02)
        except (TimeoutError, sqlite3.Error, psycopg.Error):
            return

    async def cut_worker_from_database(self, for_s: float, dice: random.Random) -> None:
        """Cut off, or nothing passes; everybody else reaches it."""
        spoil = dice.choice([Proxy.cut, Proxy.black_hole])
        await self.spoil([dice.choice(self._world.worker_links)], spoil, for_s)

    # Clients

    async def vanish(self, for_s: float, dice: random.Random) -> None:
        """A tenth of the sockets ends without a close."""
        for client in dice.sample(list(self._clients), max(1, len(self._clients) // 10)):
            client.vanish()

    async def half_open(self, for_s: float, dice: random.Random) -> None:
        """Nobody is behind these sockets any more, and nobody says so."""
        chosen = dice.sample(list(self._clients), max(1, len(self._clients) // 10))
        for client in chosen:
            client.leave_half_open()
        await asyncio.sleep(for_s)
        for client in chosen:
            client.drop_half_open()

    async def read_slowly(self, for_s: float, dice: random.Random) -> None:
        """They stop reading; the server must not wait for them."""
        chosen = dice.sample(list(self._clients), max(1, len(self._clients) // 10))
        for client in chosen:
            client.reading.clear()
        await asyncio.sleep(for_s)
        for client in chosen:
            client.reading.set()

    async def cut_links(self, for_s: float, dice: random.Random) -> None:
        await self.spoil([dice.choice(self._world.far)], Proxy.cut, for_s)

    async def slow_links(self, for_s: float, dice: random.Random) -> None:
        await self.spoil(self._world.far, _slow, for_s)

    async def black_hole_links(self, for_s: float, dice: random.Random) -> None:
        await self.spoil([dice.choice(self._world.far)], Proxy.black_hole, for_s)

    # Writers

    async def die_before_sending(
        self, for_s: float, dice: random.Random, *, project: int | None = None
    ) -> None:
        """A process ends between its commit and the hint: nobody was told."""
        world = self._world
        project = project or dice.choice(world.projects)
        person = dice.choice(world.people)
        died = await asyncio.create_subprocess_exec(
            *world.installation.command(
                "-m", "tests.promises.dying", str(project), str(person["id"]), "last words"
            ),
            cwd=ROOT,
            env=world.installation.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        if await died.wait() != 9:
            self.notes.append("die_before_sending: the database was away")

    async def burst(self, for_s: float, dice: random.Random) -> None:
        """More than a ring and more than a socket's buffers hold, in a few commits."""
        await self._backstage("burst", "post", dice, count=BURST_MESSAGES, body=BURST_BODY)

    async def roll_back(self, for_s: float, dice: random.Random) -> None:
        """Messages that are stored and announced to nobody: their seqs are given again."""
        await self._backstage("roll_back", "post_and_roll_back", dice, count=5)

    async def _backstage(self, what: str, deed: str, dice: random.Random, **fields: Any) -> None:
        world = self._world
        project, person = dice.choice(world.projects), dice.choice(world.people)
        for _ in range(BACKSTAGE_ATTEMPTS):
            try:
                await asyncio.to_thread(
                    world.backstage, deed, project=project, author=person["id"], **fields
                )
            except AssertionError:
                await asyncio.sleep(1)  # the database was away, or its connection is of before
            else:
                return
        self.notes.append(f"{what}: the database was away")
