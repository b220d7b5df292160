"""How a node ends in these tests: killed, or asked to stop."""

import time
from dataclasses import dataclass

import psutil

from tests.embedded.waiting import gone
from tests.nodes.server import Server, wait_until

GONE_WITHIN_S = 5.0


@dataclass(frozen=True, slots=True)
class Ended:
    """`at` is when the signal was sent, by `time.monotonic()`; `status` the exit status."""

    at: float
    took_s: float
    status: int


def kill_node(server: Server) -> Ended:
    """`kill -9` of a node and of everything it started, a Valkey of its own included.

    Nothing is flushed and nobody is told. Returns when the system has none of them any more.
    """
    children = psutil.Process(server.process.pid).children(recursive=True)
    at = time.monotonic()
    server.process.kill()
    for child in children:
        if not gone(child.pid):
            child.kill()
    server.kill()  # reaps it, and reads its log to the end
    wait_until(lambda: all(gone(child.pid) for child in children), "the end", GONE_WITHIN_S)
    return Ended(at, time.monotonic() - at, server.process.returncode)


def stop_node(server: Server) -> Ended:
    """A planned stop, as a deploy does it."""
    at = time.monotonic()
    status = server.stop()
    return Ended(at, time.monotonic() - at, status)
