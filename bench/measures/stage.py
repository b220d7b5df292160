"""A running server and the two generators before it: what every measurement begins with."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from bench.load.generator import Answer, Generator
from bench.peers.peer import Peer
from bench.servers import Server

AT_ONCE = 200  # connects under way where connecting is not what is measured
CONNECT_LIMIT_S = 60.0


@dataclass
class Stage:
    """`readers` and `writers` are without sockets at first; after a case the readers stay, for the
    next that wants the same ones."""

    server: Server
    readers: Generator
    writers: Generator
    core: int | None  # of the generators
    base: int = 1  # number of the next message of any room
    seated: tuple[int, int] | None = None  # readers and their rooms, once all have joined

    @property
    def peer(self) -> Peer:
        return self.server.peer

    def seat_readers(self, sockets: int, rooms: int) -> None:
        """Connect so many, spread evenly over the rooms. Raises RuntimeError unless all joined."""
        if self.seated == (sockets, rooms):
            return
        if self.seated is not None:
            self.clear()
        self.describe_readers(sockets, rooms)
        joined(self.readers.connect(AT_ONCE, CONNECT_LIMIT_S), sockets)
        self.seated = (sockets, rooms)

    def describe_readers(self, sockets: int, rooms: int) -> None:
        self.seated = None
        self.readers.drop()
        for number in range(sockets):
            room = number % rooms
            self.readers.add(self.peer.reader(number, room), room)

    def seat_writers(self, count: int, rooms: int) -> Answer:
        """So many sockets that publish, at least one for each room. Raises RuntimeError."""
        self.writers.drop()
        for number in range(count):
            room = number % rooms
            self.writers.add(self.peer.writer(number, room), room, message=self.peer.message(room))
        return joined(self.writers.connect(AT_ONCE, CONNECT_LIMIT_S), count)

    def clear(self) -> None:
        """All sockets are closed; returns when the server has the CPU for something else."""
        self.seated = None
        self.readers.drop()
        self.rest()

    def rest(self) -> None:
        """After a case: nobody publishes, and the server has the CPU for something else."""
        self.writers.drop()
        settle(self.server)


def joined(answer: Answer, wanted: int) -> Answer:
    if answer["joined"] != wanted:
        raise RuntimeError(
            f"expected {wanted} sockets to join, got {answer['joined']}, "
            f"{answer['failed']} failed first with: {answer['first_failure'] or 'no answer'}"
        )
    return answer


def settle(server: Server, limit_s: float = 20.0, idle_share: float = 0.1) -> None:
    """Wait until the server does nothing much, or for `limit_s`: what comes next begins at rest."""
    deadline = time.monotonic() + limit_s
    while time.monotonic() < deadline:
        before, begin = server.cpu_s(), time.monotonic()
        time.sleep(0.3)
        if server.cpu_s() - before < idle_share * (time.monotonic() - begin):
            return


@contextmanager
def set_up(server: Server, *, core: int | None) -> Iterator[Stage]:
    """Generators on `core`. The publisher goes first when both want it: a late message would spare
    the server."""
    port = server.place.port
    with (
        Generator(server.peer, port, core=core) as readers,
        Generator(server.peer, port, core=core, priority=-5) as writers,
    ):
        yield Stage(server, readers, writers, core)


def times(answer: Answer, name: str) -> dict[str, Any]:
    """The percentiles `name_*` of an answer without their first name."""
    return {
        f"{share}_ms": round(answer[f"{name}_{share}_ms"], 3)
        for share in ("p50", "p95", "p99", "max")
    }
