"""The server's life, with real processes: ready, drained, hurried, replaced, and gone."""

import errno
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from functools import cached_property
from pathlib import Path

import psutil
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from realtime.embedded.valkey import socket_path
from realtime.server.listener import ListenError, open_listener
from tests.embedded.waiting import gone, wait_for

ROOT = Path(__file__).resolve().parents[2]


class Serving:
    """A running `tests.server.app`, and what a test asks about it."""

    def __init__(self, data_dir: Path, *options: str, **environment: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.server.app", str(data_dir), *options],
            cwd=ROOT,
            env={**os.environ, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,  # a process group to press Ctrl-C in
        )

    @cached_property
    def address(self) -> str:
        """Where it listens, once it says so."""
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip().removeprefix("Listening on ")

    def ask(self) -> int:
        """The pid of the worker that answers an HTTP request."""
        with urllib.request.urlopen(self.address, timeout=5) as response:
            return int(response.read())

    def connect(self, stack: ExitStack) -> ClientConnection:
        """A WebSocket client that has been greeted."""
        client = stack.enter_context(connect(self.address.replace("http", "ws", 1), proxy=None))
        client.recv(timeout=5)
        return client

    def refuses(self) -> bool:
        """Whether nobody listens any more."""
        host, port = self.address.removeprefix("http://").split(":")
        with socket.socket() as client:
            client.settimeout(2)
            return client.connect_ex((host, int(port))) == errno.ECONNREFUSED

    def descendants(self) -> list[psutil.Process]:
        return list(psutil.Process(self.process.pid).children(recursive=True))

    def workers(self) -> set[int]:
        """The pids of the serving processes, as the system sees them."""
        return {process.pid for process in self.descendants() if _is_worker(process)}

    def finish(self) -> tuple[int, str, str]:
        """Wait for its end; its status, output and errors."""
        output, errors = self.process.communicate(timeout=10)
        return self.process.returncode, output, errors


def _is_worker(process: psutil.Process) -> bool:
    try:
        return "spawn_main" in " ".join(process.cmdline())
    except psutil.NoSuchProcess:  # or a zombie
        return False


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def serve(stack: ExitStack, data_dir: Path, *options: str, **environment: str) -> Serving:
    serving = start(stack, data_dir, *options, **environment)
    assert serving.address
    return serving


def start(stack: ExitStack, data_dir: Path, *options: str, **environment: str) -> Serving:
    serving = Serving(data_dir, *options, **environment)
    stack.enter_context(serving.process)
    stack.callback(serving.process.kill)
    return serving


def all_gone(pids: list[int]) -> bool:
    return all(gone(pid) for pid in pids)


def close_code(client: ClientConnection) -> int | None:
    """Read to the end; the code that the server closed with, if it closed in order."""
    try:
        while True:
            client.recv(timeout=5)
    except ConnectionClosed as closed:
        return closed.rcvd.code if closed.rcvd is not None else None


@pytest.mark.parametrize("workers", ["1", "2"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_idle_server_stops_at_once_and_in_order(
    tmp_path: Path, stack: ExitStack, workers: str, number: signal.Signals
) -> None:
    """Without clients a stop takes no window; status 0, lifespan, `finally` and atexit all run."""
    serving = serve(stack, tmp_path, "--workers", workers, "--window", "30")
    serving.ask()
    pids = [process.pid for process in serving.descendants()]
    started = time.monotonic()
    serving.process.send_signal(number)
    status, output, errors = serving.finish()
    assert time.monotonic() - started < 15  # of 30; a busy machine may take seconds
    assert status == 0
    assert output.count("lifespan ended") == int(workers)
    assert output.endswith("exit handlers ran\n")
    assert errors == ""
    # multiprocessing's resource tracker notices our end a moment later.
    wait_for(lambda: all_gone(pids), timeout_s=10, what="the end of all processes")
    assert not socket_path(tmp_path).exists()


@pytest.mark.parametrize("workers", ["1", "2"])
def test_clients_are_told_and_closed_within_the_window(
    tmp_path: Path, stack: ExitStack, workers: str
) -> None:
    """Readiness off, listener closed, everyone told, sockets closed with 1012, status 0."""
    serving = serve(stack, tmp_path, "--workers", workers, "--window", "1")
    client = serving.connect(stack)
    serving.process.terminate()
    assert client.recv(timeout=10) == "server_shutdown accepting=False"
    # The workers hear of the stop within a tenth of a second of each other.
    wait_for(serving.refuses, timeout_s=0.7, what="a closed listener before the window ends")
    assert close_code(client) == 1012
    assert serving.finish()[0] == 0


@pytest.mark.parametrize("workers", ["1", "2"])
def test_second_signal_hurries(tmp_path: Path, stack: ExitStack, workers: str) -> None:
    """Whoever presses Ctrl-C twice does not wait for the window."""
    serving = serve(stack, tmp_path, "--workers", workers, "--window", "60")
    client = serving.connect(stack)
    serving.process.send_signal(signal.SIGINT)
    client.recv(timeout=10)
    serving.process.send_signal(signal.SIGINT)
    assert serving.finish()[0] == 0
    assert close_code(client) == 1012


def test_signal_to_the_whole_group_is_one_signal(tmp_path: Path, stack: ExitStack) -> None:
    """Regression: a terminal and systemd signal workers too, which then hurried at the parent's."""
    serving = serve(stack, tmp_path, "--workers", "2", "--window", "1")
    client = serving.connect(stack)
    for number in (signal.SIGINT, signal.SIGTERM):
        for pid in serving.workers():
            os.kill(pid, number)
    started = time.monotonic()
    serving.process.terminate()
    assert close_code(client) == 1012
    assert time.monotonic() - started > 0.7
    assert serving.finish()[0] == 0


def test_ctrl_c_while_workers_start_is_quiet(tmp_path: Path, stack: ExitStack) -> None:
    """Regression: the terminal's SIGINT killed workers in mid-import, with a traceback each."""
    serving = start(stack, tmp_path, "--workers", "2")
    wait_for(serving.workers, what="a first worker")
    os.killpg(serving.process.pid, signal.SIGINT)
    status, _output, errors = serving.finish()
    assert (status, errors) == (0, "")


@pytest.mark.parametrize("workers", ["1", "2"])
def test_killed_parent_leaves_no_process(tmp_path: Path, stack: ExitStack, workers: str) -> None:
    """kill -9 of the parent ends workers and the embedded server, clients or not."""
    serving = serve(stack, tmp_path, "--workers", workers, "--window", "60")
    serving.connect(stack)
    pids = [process.pid for process in serving.descendants()]
    assert len(pids) > int(workers) - 1
    serving.process.kill()
    wait_for(lambda: all_gone(pids), timeout_s=10, what="the end of all processes")


def test_killed_worker_is_replaced(tmp_path: Path, stack: ExitStack) -> None:
    """Another worker starts, and nothing else happens: the rest keep their pids."""
    serving = serve(stack, tmp_path, "--workers", "2")
    before = serving.workers()
    assert len(before) == 2
    others = {process.pid for process in serving.descendants()} - before
    victim = serving.ask()
    os.kill(victim, signal.SIGKILL)
    wait_for(lambda: len(serving.workers() - before) == 1, what="another worker")
    (replacement,) = serving.workers() - before
    wait_for(lambda: serving.ask() == replacement, what="an answer of the new worker")
    assert before - serving.workers() == {victim}
    assert {process.pid for process in serving.descendants()} >= others
    serving.process.terminate()
    assert serving.finish()[0] == 0


def test_killed_valkey_is_restarted_by_the_owner(tmp_path: Path, stack: ExitStack) -> None:
    """The parent owns the server and replaces it; the workers are its guests."""
    serving = serve(stack, tmp_path, "--workers", "2")

    def servers() -> list[psutil.Process]:
        return [
            child
            for child in psutil.Process(serving.process.pid).children()
            if child.name() == "valkey-server" and child.status() != psutil.STATUS_ZOMBIE
        ]

    (server,) = servers()
    server.kill()
    wait_for(
        lambda: any(found.pid != server.pid for found in servers()), timeout_s=10, what="a server"
    )


@pytest.mark.parametrize("workers", ["1", "2"])
def test_failed_start_ends_the_server(tmp_path: Path, stack: ExitStack, workers: str) -> None:
    """An application that cannot start is not started for ever, and leaves nothing."""
    serving = start(stack, tmp_path, "--workers", workers, FAIL_LIFESPAN="1")
    status, _output, errors = serving.finish()
    assert status != 0
    assert "asked to fail" in errors
    assert not socket_path(tmp_path).exists()


def test_busy_port_is_explained() -> None:
    """Also when the other one has bound the port and nothing more."""
    with open_listener("127.0.0.1", 0) as first:
        port = first.getsockname()[1]
        with pytest.raises(ListenError, match=rf"port {port} on 127.0.0.1 is in use: .*--port"):
            open_listener("127.0.0.1", port)


def test_foreign_address_is_explained() -> None:
    """An address that this machine does not have, and a name that nobody has."""
    with pytest.raises(ListenError, match="expected an address of this machine"):
        open_listener("192.0.2.1", 0)
    with pytest.raises(ListenError, match=r"expected an address to listen on, got no\.such\.host"):
        open_listener("no.such.host.invalid", 0)
