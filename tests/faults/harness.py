"""An installation of two nodes that anything may happen to, and the people who use it."""

import logging
import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psutil

from realtime.embedded.valkey import socket_path
from tests.faults.processes import ExternalValkey, Node, PostgresServer, SqliteFile, Worker
from tests.faults.proxy import Proxy
from tests.faults.schedule import Variant
from tests.nodes.backstage import Backstage
from tests.nodes.installation import Installation
from tests.postgres import temporary_postgres

NODES = 2
WORKERS = 2
PROJECTS = 3
PEOPLE = 6
# Short, so that what waits for a heartbeat or a drain happens often in a run.
ENVIRONMENT = {
    "WORKER": "false",  # they are processes of their own here
    "JOB_LEASE": "4",
    "EMBEDDER": "false",
    "CONTEXT_ENGINE": "false",
    "WEBSOCKET_HEARTBEAT_INTERVAL": "2",
    "WEBSOCKET_CONNECTION_TIMEOUT": "6",
    "DRAIN_WINDOW": "2",
    "DJANGO_SETTINGS_MODULE": "pm_project.settings",
    "PYTHONUNBUFFERED": "1",
}
_NOT_INHERITED = ("DATABASE_URL", "REDIS_URL", "DATA_DIR", "DJANGO_SETTINGS_MODULE")


@dataclass
class World:
    """Everything that runs; `projects` are ids, `people` as `tests.nodes.deeds.person` gives them.

    near: each node's own port; far: a link to each node; layer_links: from each node to the layer;
    worker_links: from each worker to PostgreSQL. A worker shares the layer link of its node.
    """

    variant: Variant
    folder: Path
    installation: Installation
    backstage: Backstage
    nodes: list[Node]
    postgres: PostgresServer | None
    external: ExternalValkey | None
    far: list[Proxy]
    layer_links: list[Proxy]
    workers: list[Worker]
    worker_links: list[Proxy]
    projects: list[int] = field(default_factory=list)
    people: list[dict[str, Any]] = field(default_factory=list)

    @property
    def database_url(self) -> str:
        return self.postgres.url if self.postgres else f"sqlite:///{self.sqlite.path}"

    @property
    def sqlite(self) -> SqliteFile:
        return SqliteFile(self.folder / "db.sqlite3")

    @property
    def layer_socket(self) -> Path:
        """Of the embedded layer."""
        return socket_path(self.folder)

    def layer_process(self) -> psutil.Process | None:
        """The layer's server, whoever's child it is; None between two of them."""
        if self.external is not None:
            popen = self.external.popen
            return psutil.Process(popen.pid) if popen and self.external.running else None
        return next((found for node in self.nodes if (found := node.valkey) is not None), None)

    def addresses(self, *, far: bool, first: int) -> list[str]:
        """`host:port` of every node, one of them first."""
        ports = [link.port for link in self.far] if far else [node.port for node in self.nodes]
        return [f"127.0.0.1:{port}" for port in (*ports[first:], *ports[:first])]


def _environment(folder: Path, database_url: str | None) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name not in _NOT_INHERITED}
    url = {"DATABASE_URL": database_url} if database_url is not None else {}
    return {**kept, **ENVIRONMENT, "DATA_DIR": str(folder), **url}


def _workers(
    stack: AsyncExitStack, installation: Installation, folder: Path, layer_links: list[Proxy]
) -> tuple[list[Worker], list[Proxy]]:
    """Started, each with its link to PostgreSQL where that is the database."""
    workers, links = list[Worker](), list[Proxy]()
    url = urlsplit(installation.environment.get("DATABASE_URL", ""))
    for number in range(WORKERS):
        own = {}
        if layer_links:
            own["REDIS_URL"] = f"redis://127.0.0.1:{layer_links[number].port}"
        if url.port is not None:
            links.append(stack.enter_context(Proxy(("127.0.0.1", url.port))))
            place = f"{url.username}@127.0.0.1:{links[-1].port}"
            own["DATABASE_URL"] = urlunsplit(url._replace(netloc=place))
        workers.append(Worker(number, installation, folder, **own))
        workers[-1].start()
        stack.push_async_callback(workers[-1].kill)
    return workers, links


@asynccontextmanager
async def world(variant: Variant, folder: Path) -> AsyncIterator[World]:
    """Everything started and people made; all of it ended afterwards. Only in the main thread."""
    async with AsyncExitStack() as stack:
        url, postgres = None, None
        if variant.database == "postgresql":
            url = stack.enter_context(temporary_postgres())
            postgres = PostgresServer(url)
            stack.push_async_callback(postgres.stop)
        environment = _environment(folder, url)
        installation = Installation(environment)
        backstage = stack.enter_context(Backstage(installation))
        backstage("head", stream="system")  # answered once the tables are there
        external, layer_links = None, list[Proxy]()
        if variant.layer == "external":
            external = ExternalValkey(folder, environment)
            external.start()
            stack.push_async_callback(external.kill)
            for _ in range(NODES):
                layer_links.append(stack.enter_context(Proxy(("127.0.0.1", external.port))))
        nodes, far = list[Node](), list[Proxy]()
        for number in range(NODES):
            own = {}
            if layer_links:
                own["REDIS_URL"] = f"redis://127.0.0.1:{layer_links[number].port}"
            nodes.append(Node(number, installation, folder, **own))
            nodes[-1].start()
            stack.push_async_callback(nodes[-1].kill)
            far.append(stack.enter_context(Proxy(("127.0.0.1", nodes[-1].port))))
        workers, worker_links = _workers(stack, installation, folder, layer_links)
        for node in nodes:
            await node.ready()
        for worker in workers:
            await worker.ready()
        made = World(
            variant,
            folder,
            installation,
            backstage,
            nodes,
            postgres,
            external,
            far,
            layer_links,
            workers,
            worker_links,
        )
        made.people = [backstage("person", name=f"p{number}") for number in range(PEOPLE)]
        made.projects = backstage("more_projects", user=made.people[0]["id"], count=PROJECTS)
        for project in made.projects:
            for person in made.people[1:]:
                backstage("join", project=project, user=person["id"])
        # Python 3.11 reports each connection that a proxy cancels when it ends.
        stack.callback(logging.getLogger("asyncio").setLevel, logging.CRITICAL)
        yield made
