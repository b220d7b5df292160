"""Two servers that reach Redis through proxies of their own, and clients that keep everything."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import pytest

from tests.faults.proxy import Proxy
from tests.faults.valkey import Valkey, running_valkey
from tests.nodes.backstage import Backstage
from tests.nodes.client import Client
from tests.nodes.installation import Installation, temporary_installation
from tests.nodes.room import Room
from tests.nodes.server import Server
from tests.promises.follower import Follower


@dataclass
class Site:
    """`links[i]` is the network between `servers[i]` and the Valkey; Backstage has none to it."""

    installation: Installation
    backstage: Backstage
    valkey: Valkey
    links: list[Proxy]
    servers: list[Server]
    operator: str  # the Authorization of a member of staff

    def restore(self) -> None:
        """Everything as at the beginning, whatever a test did."""
        self.valkey.kill()
        self.valkey.start()
        for link in self.links:
            link.restore()


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("faults")
    with ExitStack() as stack:
        installation = stack.enter_context(temporary_installation(folder, DRAIN_WINDOW="0"))
        valkey = stack.enter_context(running_valkey(folder))
        links = [stack.enter_context(Proxy(("127.0.0.1", valkey.port))) for _ in range(2)]
        # The process that writes reaches Redis itself, so that hints are sent, or fail, by it too.
        installation.environment["REDIS_URL"] = f"redis://127.0.0.1:{valkey.port}"
        backstage = stack.enter_context(Backstage(installation))
        backstage("head", stream="system")  # answered once the database is there
        operator = backstage("person", name="olga", staff=True)
        servers = [
            Server(installation, REDIS_URL=f"redis://127.0.0.1:{link.port}") for link in links
        ]
        stack.callback(lambda: [server.stop() for server in servers])
        for server in servers:
            server.wait()
        yield Site(installation, backstage, valkey, links, servers, f"Api-Key {operator['key']}")


@pytest.fixture
def room(site: Site) -> Room:
    return Room.made(site.backstage)


Follow = Callable[..., Follower]


@pytest.fixture
def follow(room: Room) -> Iterator[Follow]:
    """`follow(server)`: a client of the room that reads from now on, in a thread of its own."""
    with ExitStack() as stack:

        def start(server: Server, stream: str | None = None, authorization: str = "") -> Follower:
            follower = Follower(
                [f"{server.ws}/ws"], authorization or room.authorization, stream or room.stream
            )
            stack.callback(follower.stop)
            return follower.begin()

        yield start


def client_at(server: Server, authorization: str) -> Client:
    return Client(f"{server.ws}/ws", authorization=authorization)
