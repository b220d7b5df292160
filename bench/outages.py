"""How soon the status says that a part is gone, and that it is back: `python -m bench.outages`.

A server and a worker on a PostgreSQL behind a proxy, a Valkey, and something that listens where the
AI is said to be; one operator follows `status`. Each part goes for --seconds, and comes back.
Alerts are those that opened between the beginning of the fault and the close of the last.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.faults.proxy import Proxy
from tests.faults.valkey import running_valkey
from tests.nodes.backstage import Backstage
from tests.nodes.client import Client, Frame
from tests.nodes.installation import Installation, temporary_installation
from tests.nodes.server import Server, running, wait_until
from tests.nodes.worker import WorkerProcess
from tests.postgres import temporary_postgres

LIMIT_S = 60.0
SETTLE_S = 10.0


class Listener:
    """Takes connections, as the AI's server would; nobody asks it anything."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [sys.executable, "-m", "http.server", "--bind", "127.0.0.1", str(self._port)]
        silent: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        self._process = subprocess.Popen(command, **silent)

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


class Workers:
    def __init__(self, installation: Installation) -> None:
        self._installation = installation
        self._worker: WorkerProcess | None = None

    def start(self) -> None:
        self._worker = WorkerProcess(self._installation).wait()

    def stop(self) -> None:
        if self._worker is not None:
            self._worker.kill()
            self._worker = None


@dataclass(frozen=True)
class Fault:
    label: str
    part: str
    rule: str
    begin: Callable[[], None]
    end: Callable[[], None]


class Watcher:
    """An operator who notes when each frame came."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._seen: list[tuple[float, Frame]] = []

    def until(self, wanted: Callable[[Frame], bool], since: float) -> float:
        """Seconds from `since` to the first such frame after it. Raises TimeoutError."""
        for at, frame in self._seen:
            if at >= since and wanted(frame):
                return at - since
        deadline = time.monotonic() + LIMIT_S
        while time.monotonic() < deadline:
            frame = self._client.receive(LIMIT_S)
            self._seen.append((time.monotonic(), frame))
            if wanted(frame):
                return self._seen[-1][0] - since
        raise TimeoutError

    def read_until(self, deadline: float) -> None:
        """Frames are to be noted when they come, not when somebody looks for them."""
        while (left := deadline - time.monotonic()) > 0:
            try:
                frame = self._client.receive(left)
            except TimeoutError:
                return
            self._seen.append((time.monotonic(), frame))

    def opened(self, since: float) -> list[str]:
        """Those that were written: what was told while the database was away is told again then."""
        return [
            frame["data"]["alert"]
            for at, frame in self._seen
            if at >= since
            and frame.get("type") == "performance_alert"
            and "seq" in frame
            and frame["data"]["state"] in {"opened", "reopened"}
        ]


def says(part: str, state: str) -> Callable[[Frame], bool]:
    def wanted(frame: Frame) -> bool:
        return (
            frame.get("type") == "system_status_update"
            and frame["data"]["parts"].get(part) == state
        )

    return wanted


def alert(rule: str, states: Sequence[str]) -> Callable[[Frame], bool]:
    def wanted(frame: Frame) -> bool:
        return (
            frame.get("type") == "performance_alert"
            and frame["data"]["alert"] == rule
            and frame["data"]["state"] in states
        )

    return wanted


def play(fault: Fault, watcher: Watcher, seconds: float) -> None:
    began = time.monotonic()
    fault.begin()
    down = watcher.until(says(fault.part, "down"), began)
    watcher.read_until(began + seconds)
    ended = time.monotonic()
    fault.end()
    opened = watcher.until(alert(fault.rule, ["opened", "reopened"]), began)
    back = watcher.until(says(fault.part, "ok"), ended)
    closed = watcher.until(alert(fault.rule, ["closed"]), ended)
    print(
        f"{fault.label:>24}  told after {down:4.1f} s, alert after {opened:4.1f} s; "
        f"back told after {back:4.1f} s, closed after {closed:4.1f} s; "
        f"alerts: {', '.join(watcher.opened(began))}",
        flush=True,
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=15.0, help="of each outage")
    seconds = parser.parse_args().seconds
    with ExitStack() as stack:
        place = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        url = stack.enter_context(temporary_postgres())
        found = urlsplit(url)
        link = stack.enter_context(Proxy((found.hostname or "", found.port or 0)))
        ai_link = stack.enter_context(Proxy(("127.0.0.1", 9)))  # only for its free port
        valkey = stack.enter_context(running_valkey(place))
        plain = stack.enter_context(
            temporary_installation(
                place,
                DATABASE_URL=url,
                REDIS_URL=f"redis://127.0.0.1:{valkey.port}",
                STATUS_MONITOR="true",
                DRAIN_WINDOW="0",
                WORKER="false",
                EMBEDDER="false",
                AI_MODEL="openai:any",
                AI_BASE_URL=f"http://127.0.0.1:{ai_link.port + 1}/v1",
            )
        )
        backstage = stack.enter_context(Backstage(plain))
        operator = backstage("person", name="Olga", permission="status.view_status")
        listener, workers = Listener(ai_link.port + 1), Workers(plain)
        for one in (listener, workers):
            stack.callback(one.stop)
            one.start()
        through = found._replace(netloc=f"postgres@127.0.0.1:{link.port}").geturl()
        (server,) = stack.enter_context(running(Server(plain, DATABASE_URL=through)))
        client = stack.enter_context(
            Client(server.ws + "/ws", authorization=f"Api-Key {operator['key']}")
        ).greeted()
        client.ok("subscribe", stream="status")
        wait_until(lambda: backstage("board").get("state") == "ok", "a system that is ok", 30.0)
        time.sleep(SETTLE_S)
        watcher = Watcher(client)
        for fault in (
            Fault("Redis killed", "redis", "redis.down", valkey.kill, valkey.start),
            Fault("Redis hangs", "redis", "redis.down", valkey.pause, valkey.resume),
            Fault("database cut off", "database", "database.down", link.cut, link.restore),
            Fault(
                "database black hole", "database", "database.down", link.black_hole, link.restore
            ),
            Fault("worker killed", "jobs", "jobs.down", workers.stop, workers.start),
            Fault("AI server gone", "ai", "ai.down", listener.stop, listener.start),
        ):
            play(fault, watcher, seconds)


if __name__ == "__main__":
    main()
