"""A server process on a free port, with its log kept: `manage.py serve` (uvicorn with our WebSocket
class), uvicorn as it comes, or Daphne."""

import re
import time
from collections.abc import Callable, Sequence

import httpx

from tests.nodes.installation import Installation
from tests.nodes.process import LoggedProcess, running

__all__ = ["COMMANDS", "DAPHNE", "PLAIN", "UVICORN", "Server", "running", "wait_until"]

_LISTENING = re.compile(r"Listening on (?:TCP address |http://)([0-9.]+:[0-9]+)")

UVICORN = ("manage.py", "serve", "--port", "0")
PLAIN = ("-m", "tests.nodes.plain")
DAPHNE = ("-m", "daphne", "-e", "tcp:port=0:interface=127.0.0.1", "pm_project.asgi:application")
# Those that are held to the protocol document.
COMMANDS = {"uvicorn": UVICORN, "plain": PLAIN, "daphne": DAPHNE}


class Server(LoggedProcess):
    """Started by the constructor; `wait` until it listens."""

    def __init__(
        self, installation: Installation, command: Sequence[str] = UVICORN, **variables: str
    ) -> None:
        modules = {"daphne": "daphne", "tests.nodes.plain": "plain"}
        self.name = next((name for module, name in modules.items() if module in command), "uvicorn")
        super().__init__(installation, command, _LISTENING, **variables)

    @property
    def http(self) -> str:
        return f"http://{self.told}"

    @property
    def ws(self) -> str:
        return f"ws://{self.told}"

    def request(
        self, method: str, path: str, *, authorization: str = "", json: object = None
    ) -> httpx.Response:
        headers = {"Authorization": authorization} if authorization else {}
        return httpx.request(method, self.http + path, headers=headers, json=json, timeout=10)


def wait_until(condition: Callable[[], object], what: str, timeout_s: float = 15.0) -> None:
    """Poll a callable until it is true."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, f"expected {what} within {timeout_s:g} s"
        time.sleep(0.02)
