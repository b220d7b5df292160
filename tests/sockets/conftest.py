"""Three real servers on one database and one channel layer, and people to connect to them.

Started once: every test makes people and a project of its own. Fixtures do not touch pytest's test
database; the servers have one of their own.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import pytest

from tests.nodes.backstage import Backstage
from tests.nodes.client import Client
from tests.nodes.installation import Installation, temporary_installation
from tests.nodes.server import COMMANDS, Server, running

# Of other sites; the servers' own are always allowed.
ALLOWED_ORIGINS = ("https://app.example.org", "http://localhost:5173")


@dataclass(frozen=True)
class Person:
    id: int
    name: str
    username: str
    key: str

    @property
    def authorization(self) -> str:
        return f"Api-Key {self.key}"

    @property
    def stream(self) -> str:
        return f"user.{self.id}"


@dataclass(frozen=True)
class Team:
    """A project with an owner, a member and a viewer, and a stranger to it."""

    project: int
    owner: Person
    member: Person
    viewer: Person
    stranger: Person

    @property
    def stream(self) -> str:
        return f"project.{self.project}"


Join = Callable[..., Client]


def post(backstage: Backstage, team: Team, count: int = 1, **fields: Any) -> int:
    """Messages from behind the stage; the head afterwards."""
    head: int = backstage("post", project=team.project, author=team.owner.id, count=count, **fields)
    return head


@pytest.fixture(scope="session")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    with temporary_installation(
        tmp_path_factory.mktemp("sockets"),
        WEBSOCKET_CORS_ORIGINS=",".join(ALLOWED_ORIGINS),
        WEBSOCKET_HEARTBEAT_INTERVAL="1",
        DRAIN_WINDOW="0",
    ) as found:
        yield found


@pytest.fixture(scope="session")
def backstage(installation: Installation) -> Iterator[Backstage]:
    with Backstage(installation) as found:
        found("head", stream="system")  # answered once the database is there
        yield found


@pytest.fixture(scope="session")
def nodes(installation: Installation, backstage: Backstage) -> Iterator[dict[str, Server]]:
    """All servers, by name. That of `serve` keeps the channel layer, so it stops last."""
    with running(*(Server(installation, command) for command in COMMANDS.values())) as found:
        yield {server.name: server for server in found}


@pytest.fixture(params=sorted(COMMANDS))
def node(request: pytest.FixtureRequest, nodes: dict[str, Server]) -> Server:
    """The server under test; the contract is the same on all."""
    return nodes[request.param]


@pytest.fixture
def team(backstage: Backstage) -> Team:
    made = backstage("team")
    ada, bob, vera, sam = (Person(**one) for one in made["people"].values())
    return Team(made["project"], ada, bob, vera, sam)


@pytest.fixture
def person(backstage: Backstage) -> Callable[..., Person]:
    """Makes somebody; the arguments are those of `tests.nodes.deeds.person`."""

    def make(**fields: Any) -> Person:
        return Person(**backstage("person", **{"name": "Ada", **fields}))

    return make


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def join(stack: ExitStack, node: Server) -> Join:
    """`join(person, path="/ws", at=server)`: a greeted client that is closed with the test."""

    def connect(person: Person, path: str = "/ws", *, at: Server = node, **options: Any) -> Client:
        options = {"authorization": person.authorization, **options}
        return stack.enter_context(Client(at.ws + path, **options)).greeted()

    return connect
