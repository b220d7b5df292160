"""Drives one load generator over its standard input and output.

Two of them run in a measurement: one is the crowd of readers, one publishes, so that a burst of
receipts never holds a message back.
"""

import json
import subprocess
from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import Any, Self

from bench.child import child
from bench.load.compiler import program
from bench.peers.peer import Peer, Script

CONNECT_LIMIT_S = 60.0
# From one address a client has 28,000 ports, many of them still in TIME_WAIT from the case before.
SOURCES = 8

Answer = dict[str, Any]


class Generator:
    """Sockets of one peer. `core` is the processor that it is pinned to, None: any."""

    def __init__(self, peer: Peer, port: int, *, core: int | None, priority: int = 0) -> None:
        self.process = subprocess.Popen(
            [program("generator")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            preexec_fn=child(core, priority=priority),  # noqa: PLW1509
        )
        self.cpu_s = 0.0
        self._tell("server", "127.0.0.1", port, SOURCES)
        for text, answer in peer.answers:
            self._tell("answer", text, answer)
        if peer.refusal:
            self._tell("refusal", peer.refusal)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.process.kill()
        self.process.communicate()

    def _tell(self, *fields: object) -> None:
        assert self.process.stdin is not None
        line = "\t".join(str(field) for field in fields)
        if "\n" in line:
            raise ValueError(f"expected one line, got {line!r}")
        self.process.stdin.write(line + "\n")

    def _ask(self, *fields: object) -> Answer:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self._tell(*fields)
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"expected an answer to {fields[0]!r}, got the generator's end")
        answer: Answer = json.loads(line)
        self.cpu_s = answer["cpu_s"]
        return answer

    def add(self, script: Script, room: int, *, wanted: int = 0, message: str = "") -> None:
        """Describe a socket: it has resumed after `wanted` deliveries; with `message` it writes."""
        self._tell("socket", room, wanted, script.path)
        for header in script.headers:
            self._tell("header", header)
        for expected, text in script.steps:
            self._tell("step", expected, text)
        if message:
            self._tell("message", message)

    def add_all(self, sockets: Iterable[tuple[Script, int]]) -> None:
        for script, room in sockets:
            self.add(script, room)

    def connect(self, at_once: int, limit_s: float = CONNECT_LIMIT_S) -> Answer:
        """Connect what is described and not yet connected; all have joined or failed afterwards."""
        return self._ask("connect", at_once, round(limit_s * 1000))

    def window(self, base: int) -> Answer:
        """Count from here on, numbers from `base` on."""
        return self._ask("window", base)

    def publish(
        self, count: int, *, burst: int, interval_s: float, size: int, base: int
    ) -> Mapping[str, Any]:
        """Publish `count` messages, `burst` at a time; returns when the last one is on its way."""
        return self._ask("publish", count, burst, round(interval_s * 1e6), size, base)

    def collect(self, deliveries: int, *, quiet_s: float, limit_s: float) -> Answer:
        """Wait for so many since the window began; what came until then."""
        return self._ask("collect", deliveries, round(quiet_s * 1000), round(limit_s * 1000))

    def resumed(self, members: int, limit_s: float) -> Answer:
        """Wait until so many have what they wanted."""
        return self._ask("resume", members, round(limit_s * 1000))

    def drop(self) -> Answer:
        """Close all sockets and forget them."""
        return self._ask("drop")
