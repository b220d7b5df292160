"""`manage.py serve` and the worker that it keeps."""

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import psutil
import pytest

from tests.embedded.waiting import gone
from tests.nodes.backstage import Backstage
from tests.nodes.installation import Installation, temporary_installation
from tests.nodes.server import UVICORN, Server, wait_until

ALONE = (*UVICORN, "--no-worker")


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    folder = tmp_path_factory.mktemp("serve")
    with temporary_installation(folder, DRAIN_WINDOW="1", WORKER="true") as found:
        yield found


@pytest.fixture(scope="module")
def backstage(installation: Installation) -> Iterator[Backstage]:
    with Backstage(installation) as found:
        found("head", stream="system")  # answered once the database is there
        yield found


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as found:
        yield found


def started(stack: ExitStack, installation: Installation, *command: str) -> Server:
    server = Server(installation, command or UVICORN)
    stack.callback(server.kill)
    return server.wait()


def worker_of(server: Server) -> psutil.Process | None:
    for child in psutil.Process(server.process.pid).children():
        if "work" in child.cmdline() and not gone(child.pid):
            return child
    return None


def done(backstage: Backstage) -> dict[str, Any]:
    """Enqueue a job and wait for its end; its state then."""
    job = backstage("job")
    wait_until(lambda: backstage("job_state", job=job)["state"] == "done", "a job done", 20.0)
    found: dict[str, Any] = backstage("job_state", job=job)
    return found


def test_worker_hears_of_jobs_is_replaced_and_stops(
    stack: ExitStack, installation: Installation, backstage: Backstage
) -> None:
    """One life of a server, because starting one takes seconds."""
    server = started(stack, installation)
    first = done(backstage)["worker"]
    # Enqueued in another process, over the channel layer. By its own looks the worker would need
    # half a second for each on average.
    waited = [done(backstage)["waited_s"] for _ in range(6)]
    assert sum(waited) < 1.5, waited
    killed = worker_of(server)
    assert killed is not None
    killed.kill()
    assert done(backstage)["worker"] != first
    assert "worker died" in server.text
    kept = worker_of(server)
    assert kept is not None
    assert server.stop() == 0
    assert gone(kept.pid)
    assert not server.traceback


def test_supervised_servers_stop_together_with_their_worker(
    stack: ExitStack, installation: Installation, backstage: Backstage
) -> None:
    """The supervisor of several serving processes keeps one worker for all."""
    server = started(stack, installation, *UVICORN, "--workers", "2")
    done(backstage)
    worker = worker_of(server)
    assert worker is not None
    assert server.stop() == 0
    assert gone(worker.pid)


def test_server_without_a_worker(stack: ExitStack, installation: Installation) -> None:
    """Where `manage.py work` runs elsewhere."""
    server = started(stack, installation, *ALONE)
    assert server.request("GET", "/health/ready").status_code == 200
    assert worker_of(server) is None
