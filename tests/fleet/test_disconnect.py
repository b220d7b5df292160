"""Closing sockets from elsewhere: real nodes, real commands, and a Redis that is taken away."""

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from realtime.embedded import valkey as embedded
from realtime.embedded.valkey import EmbeddedValkey
from realtime.security.endings import KICKED
from tests.nodes.backstage import Backstage
from tests.nodes.client import Client
from tests.nodes.installation import Installation, temporary_installation
from tests.nodes.server import Server, running, wait_until

LISTED_WITHIN_S = 5.0
REVOKED = 4409


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """Its Valkey is this test's own, so that it outlives every node and can be taken away."""
    folder = tmp_path_factory.mktemp("fleet")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(embedded, "_MAX_MISSED_PINGS", 1_000)  # one that hangs is left alone here
        valkey = EmbeddedValkey(folder)
        valkey.ensure()
        try:
            with temporary_installation(folder, DRAIN_WINDOW="0") as found:
                yield found
        finally:
            valkey.close()


@pytest.fixture(scope="module")
def backstage(installation: Installation) -> Iterator[Backstage]:
    with Backstage(installation) as found:
        found("head", stream="system")
        yield found


@pytest.fixture(scope="module")
def nodes(installation: Installation, backstage: Backstage) -> Iterator[tuple[Server, ...]]:
    serve = ("manage.py", "serve", "--port", "0", "--skip-embedded")
    with running(Server(installation, serve), Server(installation, serve)) as found:
        yield found


@pytest.fixture
def ada(backstage: Backstage) -> dict[str, Any]:
    found: dict[str, Any] = backstage("person", name="Ada")
    return found


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def connect(stack: ExitStack, server: Server, person: dict[str, Any]) -> tuple[Client, str]:
    """A greeted client and the id of its connection."""
    client = Client(f"{server.ws}/ws", authorization=f"Api-Key {person['key']}")
    stack.enter_context(client)
    return client, client.greeted().frames[0]["data"]["connection"]


def wait_until_listed(
    backstage: Backstage, person: dict[str, Any], ids: set[str]
) -> dict[str, str]:
    """Connection id -> node id, once these and no others are listed."""
    found: dict[str, str] = {}

    def complete() -> bool:
        found.clear()
        found.update(backstage("connections", user=person["id"]))
        return found.keys() == ids

    wait_until(complete, "the connections", LISTED_WITHIN_S)
    return found


@contextmanager
def hanging_valkey(installation: Installation) -> Iterator[None]:
    folder = installation.environment["DATA_DIR"]
    [process] = [
        found
        for found in psutil.Process().children()
        if found.name() == "valkey-server" and Path(found.cwd()) == Path(folder)
    ]
    os.kill(process.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(process.pid, signal.SIGCONT)


def test_one_connection_on_whatever_node(
    installation: Installation,
    backstage: Backstage,
    nodes: tuple[Server, ...],
    ada: dict[str, Any],
    stack: ExitStack,
) -> None:
    """The command finds it and closes it with 4409 and the reason; her other socket stays."""
    (here, here_id), (there, there_id) = (connect(stack, node, ada) for node in nodes)
    where = wait_until_listed(backstage, ada, {here_id, there_id})
    assert where[here_id] != where[there_id]
    lines = backstage("manage", arguments=["nodes", "--user", ada["username"]]).splitlines()
    assert {line.split()[0] for line in lines[3:]} == {here_id, there_id}
    installation.manage("disconnect", "--connection", there_id, "--reason", "go home")
    assert there.closed() == (REVOKED, "go home")
    here.flushed()
    wait_until_listed(backstage, ada, {here_id})


def test_unknown_connection_is_refused(
    installation: Installation, nodes: tuple[Server, ...]
) -> None:
    """Status 1 and one clear line."""
    done = subprocess.run(
        installation.command("manage.py", "disconnect", "--connection", "f" * 32),
        **installation.process_options(),
        capture_output=True,
        check=False,
    )
    assert done.returncode == 1
    assert "expected an open connection, got" in done.stderr
    assert "Traceback" not in done.stderr


def test_all_sockets_of_a_person(
    installation: Installation,
    backstage: Backstage,
    nodes: tuple[Server, ...],
    ada: dict[str, Any],
    stack: ExitStack,
) -> None:
    """On every node, and nobody else's. She may come again."""
    clients = [connect(stack, node, ada)[0] for node in nodes]
    other, _ = connect(stack, nodes[0], backstage("person", name="Bob"))
    backstage("manage", arguments=["disconnect", "--user", ada["username"]])
    for client in clients:
        assert client.closed() == (REVOKED, KICKED)
    other.flushed()
    connect(stack, nodes[0], ada)[0].flushed()


def test_a_person_is_disconnected_without_redis(
    installation: Installation,
    backstage: Backstage,
    nodes: tuple[Server, ...],
    ada: dict[str, Any],
    stack: ExitStack,
) -> None:
    """Through the log: with Redis hanging it takes a position check and no more."""
    client, _ = connect(stack, nodes[1], ada)
    with hanging_valkey(installation):
        backstage("disconnect", user=ada["id"])
        assert client.closed(10)[0] == REVOKED


def test_registry_that_hangs_is_told_in_a_line(
    installation: Installation, nodes: tuple[Server, ...]
) -> None:
    """No traceback, and no waiting for long."""
    with hanging_valkey(installation):
        done = subprocess.run(
            installation.command("manage.py", "nodes"),
            **installation.process_options(),
            capture_output=True,
            timeout=20,
            check=False,
        )
    assert done.returncode == 1
    assert "expected the shared store to answer" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("", "no server seems to run on DATA_DIR="),
        ("redis://ada:secret@127.0.0.1:1/0", "nothing answered at REDIS_URL=redis://127.0.0.1:1/0"),
        ("memory://", "expected a Redis that nodes share, got memory://"),
    ],
)
def test_nodes_where_no_server_runs(tmp_path: Path, url: str, said: str) -> None:
    """It said only that "the shared store" does not answer, and not whose that would be."""
    with temporary_installation(tmp_path, REDIS_URL=url) as installation:
        done = subprocess.run(
            installation.command("manage.py", "nodes"),
            **installation.process_options(),
            capture_output=True,
            timeout=20,
            check=False,
        )
    assert done.returncode == 1
    assert said in done.stderr
    assert "secret" not in done.stderr
    assert "Traceback" not in done.stderr


def test_nodes_come_and_go(
    installation: Installation, backstage: Backstage, nodes: tuple[Server, ...]
) -> None:
    """A node is listed while it serves, with its pid; after a planned stop at once no more."""

    def pids() -> set[int]:
        return set(backstage("node_pids"))

    standing = {node.process.pid for node in nodes}
    serve = ("manage.py", "serve", "--port", "0", "--skip-embedded")
    with running(Server(installation, serve)) as (third,):
        everyone = standing | {third.process.pid}
        wait_until(lambda: pids() == everyone, "three nodes", LISTED_WITHIN_S)
        lines = backstage("manage", arguments=["nodes"]).splitlines()[1:]
        assert {int(line.split()[2]) for line in lines} == everyone
    assert pids() == standing
