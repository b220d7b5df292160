"""Two real servers, a worker whose model is a real HTTP server, and people to ask it."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from realtime.models import Installation as InstallationRow
from realtime.models import Stream
from tests.ai.provider import FakeProvider, provider_server
from tests.nodes.backstage import Backstage
from tests.nodes.client import Client
from tests.nodes.installation import Installation, temporary_installation
from tests.nodes.server import Server, running
from tests.nodes.worker import WorkerProcess, working

KEY = "sk-secret-1234"


@dataclass(frozen=True)
class Site:
    """`nodes` are two servers; whoever asks may use either."""

    installation: Installation
    backstage: Backstage
    nodes: tuple[Server, ...]
    provider: FakeProvider

    def worker(self, **variables: str) -> WorkerProcess:
        """Another worker; the caller ends it."""
        given = {
            "AI_MODEL": "openai:test",
            "AI_BASE_URL": self.provider.url,
            "AI_API_KEY": KEY,
            "AI_TIMEOUT_S": "1",
        }
        return WorkerProcess(self.installation, **{**given, **variables})


@dataclass(frozen=True)
class Team:
    """A project with an owner, a member and a viewer, and a stranger to it."""

    site: Site
    project: int
    people: dict[str, dict[str, Any]]

    @property
    def stream(self) -> str:
        return f"project.{self.project}"

    def request(
        self, who: str, method: str, path: str, *, json: object = None, node: int = 0
    ) -> httpx.Response:
        key = f"Api-Key {self.people[who]['key']}"
        return self.site.nodes[node].request(
            method, f"/api/projects/{self.project}/{path}", authorization=key, json=json
        )

    def ask(self, body: str, who: str = "ada") -> dict[str, Any]:
        """The run that answers."""
        answer = self.request(who, "POST", "ask/", json={"body": body})
        assert answer.status_code == 202, answer.text
        run: dict[str, Any] = answer.json()["run"]
        return run


Join = Callable[..., Client]


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("ai")
    with (
        temporary_installation(folder, DRAIN_WINDOW="0", JOB_LEASE="2") as installation,
        Backstage(installation) as backstage,
        provider_server() as provider,
    ):
        backstage("head", stream="system")  # answered once the database is there
        with running(Server(installation), Server(installation)) as nodes:
            yield Site(installation, backstage, nodes, provider)


@pytest.fixture(scope="module")
def worker(site: Site) -> Iterator[WorkerProcess]:
    """The worker that the tests of a module share; it would take the jobs of others."""
    with working(site.worker()) as found:
        yield found


@pytest.fixture
def team(site: Site) -> Team:
    made = site.backstage("team")
    return Team(site, made["project"], made["people"])


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def join(stack: ExitStack, team: Team) -> Join:
    """`join("ada", node=1)`: a client that has subscribed to the project with its snapshot."""

    def connect(who: str, *, node: int = 0, snapshot: bool = True) -> Client:
        key = f"Api-Key {team.people[who]['key']}"
        client = Client(team.site.nodes[node].ws + "/ws", authorization=key)
        stack.enter_context(client).greeted()
        client.ok("subscribe", stream=team.stream, snapshot=snapshot)
        return client

    return connect


@pytest.fixture
def installation() -> None:
    """What the migrations leave behind, also after a flushed (transaction=True) test."""
    InstallationRow.objects.get_or_create(pk=1)
    for name in ("status", "system"):
        Stream.objects.get_or_create(name=name)
