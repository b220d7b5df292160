"""The ways in which the echo application is served, and the cases run against one of them."""

from collections.abc import Sequence
from dataclasses import dataclass

from tests.conformance.cases import Case, run_cases
from tests.nodes.installation import Installation
from tests.nodes.server import Server, running


@dataclass(frozen=True, slots=True)
class Way:
    command: Sequence[str]
    meaning: str


_ECHO = ("-m", "tests.conformance.echo")
WAYS = {
    "handed over": Way((*_ECHO, "handed-over"), "our WebSocket class, the socket handed over"),
    "ASGI": Way((*_ECHO, "asgi"), "our WebSocket class, through ASGI's `receive` and `send`"),
}


def results_of(way: Way, installation: Installation, *, at_once: int = 1) -> list[Case]:
    """Start a server of that way, run all cases, stop it; it may not log a traceback."""
    with running(Server(installation, way.command)) as (server,):
        return run_cases(server.ws, at_once=at_once)
