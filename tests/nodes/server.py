"""A server process on a free port, with its log kept: `manage.py serve` (uvicorn with our WebSocket
class), uvicorn as it comes, or Daphne."""

import re
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import httpx

from tests.nodes.installation import Installation

START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 20.0
_LISTENING = re.compile(r"Listening on (?:TCP address |http://)([0-9.]+:[0-9]+)")

UVICORN = ("manage.py", "serve", "--port", "0")
PLAIN = ("-m", "tests.nodes.plain")
DAPHNE = ("-m", "daphne", "-e", "tcp:port=0:interface=127.0.0.1", "pm_project.asgi:application")
# Those that are held to the protocol document.
COMMANDS = {"uvicorn": UVICORN, "plain": PLAIN, "daphne": DAPHNE}


class Server:
    """Started by the constructor; `wait` until it listens. Its log is read all the time."""

    def __init__(
        self, installation: Installation, command: Sequence[str] = UVICORN, **variables: str
    ) -> None:
        modules = {"daphne": "daphne", "tests.nodes.plain": "plain"}
        self.name = next((name for module, name in modules.items() if module in command), "uvicorn")
        self.log: list[str] = []
        self._listening = threading.Event()
        self._address = ""
        self.process = subprocess.Popen(
            installation.command(*command),
            **installation.process_options(**variables),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        """Keep the pipe empty; the event is set by the line that says so, or by the end."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.log.append(line)
            if (found := _LISTENING.search(line)) is not None:
                self._address = found[1]
                self._listening.set()
        self._listening.set()

    def wait(self) -> "Server":
        assert self._listening.wait(START_TIMEOUT_S), self.text
        assert self._address, self.text
        return self

    @property
    def text(self) -> str:
        return "".join(self.log)

    @property
    def traceback(self) -> str:
        """The log around its first traceback, empty when there is none."""
        found = [number for number, line in enumerate(self.log) if "Traceback" in line]
        return "".join(self.log[max(0, found[0] - 3) : found[0] + 40]) if found else ""

    @property
    def http(self) -> str:
        return f"http://{self._address}"

    @property
    def ws(self) -> str:
        return f"ws://{self._address}"

    def request(
        self, method: str, path: str, *, authorization: str = "", json: object = None
    ) -> httpx.Response:
        headers = {"Authorization": authorization} if authorization else {}
        return httpx.request(method, self.http + path, headers=headers, json=json, timeout=10)

    def stop(self) -> int:
        """A planned stop, as a supervisor does it; the exit status."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise
        self._reader.join(STOP_TIMEOUT_S)
        return self.process.returncode

    def kill(self) -> None:
        """`kill -9`: nothing is flushed, nobody is told."""
        self.process.kill()
        self.process.wait()
        self._reader.join(STOP_TIMEOUT_S)


@contextmanager
def running(*servers: Server) -> Iterator[tuple[Server, ...]]:
    """The servers once all listen; stopped afterwards, and none may have logged a traceback."""
    try:
        yield tuple(server.wait() for server in servers)
    finally:
        for server in reversed(servers):
            server.stop()
    for server in servers:
        assert not server.traceback, server.traceback


def wait_until(condition: Callable[[], object], what: str, timeout_s: float = 5.0) -> None:
    """Poll a callable until it is true."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, f"expected {what} within {timeout_s:g} s"
        time.sleep(0.02)
