"""Two `manage.py serve` on one data folder: the second is a guest of the first one's Valkey."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from realtime.embedded.valkey import socket_path
from tests.embedded.waiting import gone
from tests.nodes.backstage import Backstage
from tests.nodes.installation import Installation, temporary_installation
from tests.nodes.room import Room
from tests.nodes.server import Server
from tests.promises.follower import Follower


@dataclass
class Cluster:
    """`servers[0]` owns the Valkey."""

    installation: Installation
    backstage: Backstage
    servers: list[Server]

    def start_server(self) -> Server:
        server = Server(self.installation).wait()
        self.servers.append(server)
        return server

    @property
    def valkey_socket(self) -> Path:
        return socket_path(Path(self.installation.environment["DATA_DIR"]))

    @property
    def valkey(self) -> psutil.Process | None:
        """The Valkey that runs now, whoever's child it is; None between two of them."""
        for server in self.servers:
            if server.process.poll() is None:
                for child in psutil.Process(server.process.pid).children():
                    if child.name() == "valkey-server" and not gone(child.pid):
                        return child
        return None


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with ExitStack() as stack:
        installation = stack.enter_context(
            temporary_installation(tmp_path_factory.mktemp("promises"), DRAIN_WINDOW="0")
        )
        backstage = stack.enter_context(Backstage(installation))
        backstage("head", stream="system")  # answered once the database is there
        found = Cluster(installation, backstage, [])
        stack.callback(lambda: [server.stop() for server in reversed(found.servers)])
        found.start_server()
        found.start_server()
        yield found


@pytest.fixture
def room(cluster: Cluster) -> Room:
    return Room.made(cluster.backstage)


Follow = Callable[..., Follower]


@pytest.fixture
def follow(room: Room) -> Iterator[Follow]:
    """`follow(server)`: a client of the room that reads from now on, in a thread of its own."""
    with ExitStack() as stack:

        def start(*servers: Server) -> Follower:
            addresses = [f"{server.ws}/ws" for server in servers]
            follower = Follower(addresses, room.authorization, room.stream)
            stack.callback(follower.stop)
            return follower.begin()

        yield start
