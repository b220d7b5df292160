"""The processes that a run stands on: nodes, the layer's server, the database.

Everything started here dies with this process, however that ends. Started from the main thread,
to which the kernel ties that.
"""

import asyncio
import os
import signal
import socket
import sqlite3
import subprocess
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import psutil
import psycopg

from realtime.embedded.lifetime import die_with_parent
from realtime.embedded.valkey import _binary as valkey_binary
from tests.nodes.installation import ROOT, Installation

START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 40.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def until(
    condition: Callable[[], Awaitable[bool]], what: str, timeout_s: float, every_s: float = 0.1
) -> None:
    """Poll until it is true. Raises TimeoutError with `what` was expected."""
    deadline = time.monotonic() + timeout_s
    while not await condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"expected {what} within {timeout_s:g} s")
        await asyncio.sleep(every_s)


class Process:
    """A command that can be started again, killed, stopped and continued; its output in a file."""

    def __init__(self, command: list[str], log: Path, environment: dict[str, str]) -> None:
        self._command = command
        self._environment = environment
        self.log = log
        self.popen: subprocess.Popen[bytes] | None = None
        self.deaths = 0

    def start(self) -> None:
        with self.log.open("ab") as output:
            self.popen = subprocess.Popen(
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=ROOT,
                env=self._environment,
                start_new_session=True,
                preexec_fn=partial(die_with_parent, os.getpid(), signal.SIGKILL),  # noqa: PLW1509
            )

    @property
    def running(self) -> bool:
        return self.popen is not None and self.popen.poll() is None

    def signal(self, number: int) -> None:
        if self.popen is not None and self.running:
            self.popen.send_signal(number)

    async def ended(self, timeout_s: float = STOP_TIMEOUT_S) -> int:
        """Wait for its end; the exit status. Raises TimeoutError."""

        async def over() -> bool:
            return not self.running

        await until(over, f"{self.log.stem} to end", timeout_s, 0.02)
        return self.popen.returncode if self.popen is not None else 0

    async def kill(self) -> None:
        self.signal(signal.SIGKILL)
        await self.ended()


class Node(Process):
    """`manage.py serve` on a port of its own that it keeps over restarts."""

    def __init__(self, number: int, installation: Installation, folder: Path, **own: str) -> None:
        self.port = free_port()
        super().__init__(
            installation.command("manage.py", "serve", "--port", str(self.port)),
            folder / f"node-{number}.log",
            {**installation.environment, **own},
        )

    @property
    def http(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def ready(self) -> None:
        """Wait until it serves. Raises TimeoutError."""
        async with httpx.AsyncClient(timeout=2) as client:

            async def serves() -> bool:
                try:
                    return (await client.get(f"{self.http}/health/live")).status_code == 200
                except httpx.HTTPError:
                    return False

            await until(serves, f"{self.log.stem} to serve", START_TIMEOUT_S)

    @property
    def valkey(self) -> psutil.Process | None:
        """The embedded server that this node owns, None when another one does."""
        if self.popen is None or not self.running:
            return None
        for child in psutil.Process(self.popen.pid).children():
            if child.name() == "valkey-server" and child.status() != psutil.STATUS_ZOMBIE:
                return child
        return None


class Worker(Process):
    """`manage.py work`."""

    def __init__(self, number: int, installation: Installation, folder: Path, **own: str) -> None:
        super().__init__(
            installation.command("manage.py", "work"),
            folder / f"worker-{number}.log",
            {**installation.environment, **own},
        )

    async def ready(self) -> None:
        """Wait until it takes jobs, after its first start. Raises TimeoutError."""

        async def works() -> bool:
            return "Working as " in self.log.read_text(errors="replace")

        await until(works, f"{self.log.stem} to work", START_TIMEOUT_S)


class ExternalValkey(Process):
    """A Valkey on TCP that saves nothing: started again, it is an empty one."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self.port = free_port()
        options = ("--bind", "127.0.0.1", "--save", "", "--appendonly", "no")
        super().__init__(
            [str(valkey_binary()), "--port", str(self.port), *options, "--dir", str(folder)],
            folder / "valkey.log",
            environment,
        )


class PostgresServer:
    """The server that `tests.postgres.temporary_postgres` started, so that it can fail."""

    def __init__(self, url: str) -> None:
        self.url = url
        port = f"port={urlsplit(url).port}"
        self._main = next(
            child
            for child in psutil.Process().children()
            if child.name() == "postgres" and port in child.cmdline()
        )
        self._command = self._main.cmdline()
        self._folder = Path(self._main.cwd())
        self._uids, self._gids = self._main.uids(), self._main.gids()

    def _all(self) -> list[psutil.Process]:
        if not self._main.is_running() or self._main.status() == psutil.STATUS_ZOMBIE:
            return []
        return [self._main, *self._main.children(recursive=True)]

    def send(self, number: int, *, whole: bool = False) -> None:
        """To the main process, or to every process of the server."""
        for process in self._all() if whole else self._all()[:1]:
            try:
                process.send_signal(number)
            except psutil.NoSuchProcess:
                continue

    async def down(self, number: int, *, whole: bool = False) -> None:
        """Signal it and wait for its end. SIGINT is an orderly stop, SIGKILL a crash."""
        processes = self._all()
        self.send(number, whole=whole)

        async def gone() -> bool:
            return not any(
                process.is_running() and process.status() != psutil.STATUS_ZOMBIE
                for process in processes
            )

        await until(gone, "postgres to end", STOP_TIMEOUT_S)
        # Reaped at once: the next server finds its lock file held while the number exists.
        with suppress(ChildProcessError):
            os.waitpid(self._main.pid, 0)

    async def start(self) -> None:
        """Start it again on the same folder and port, and wait until it answers."""
        other = self._uids.real != psutil.Process().uids().real
        account: dict[str, Any] = {
            "user": self._uids.real,
            "group": self._gids.real,
            "extra_groups": [],
        }
        with (self._folder / "server.log").open("ab") as output:
            popen = subprocess.Popen(
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=self._folder,
                env={"PATH": "/usr/bin:/bin", "LC_ALL": "C"},
                start_new_session=True,
                preexec_fn=partial(die_with_parent, os.getpid(), signal.SIGQUIT),  # noqa: PLW1509
                **(account if other else {}),
            )
        self._main = psutil.Process(popen.pid)
        self._popen = popen  # or it would be reaped, and its number given to another process

        def answers() -> bool:
            try:
                psycopg.connect(self.url, connect_timeout=2).close()
            except psycopg.OperationalError:
                return False
            return True

        await until(lambda: asyncio.to_thread(answers), "postgres to answer", START_TIMEOUT_S)

    async def stop(self) -> None:
        """Before the folder goes: the one started last is ours to end."""
        if self._all():
            self.send(signal.SIGCONT, whole=True)
            await self.down(signal.SIGQUIT)


class SqliteFile:
    """The database file, which another process can lock."""

    def __init__(self, path: Path) -> None:
        self.path = path

    async def lock(self, for_s: float) -> None:
        def hold() -> None:
            connection = sqlite3.connect(self.path, timeout=30, isolation_level=None)
            try:
                connection.execute("BEGIN IMMEDIATE")
                time.sleep(for_s)  # the fault itself
                connection.execute("ROLLBACK")
            finally:
                connection.close()

        await asyncio.to_thread(hold)
