"""What watching the system costs, and how soon a change is told: `python -m bench.status`.

Cost: two idle servers side by side, one with STATUS_MONITOR off; CPU time of each over --seconds.
Delay: a server with one more part, whose state changes every half second (`bench.status_changes`);
from the finding to its receipt by a subscriber of `status`, on the same clock.
"""

import argparse
import statistics
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

import psutil

from bench.layer_down import p99_ms
from bench.status_changes import NAME
from tests.nodes.backstage import Backstage
from tests.nodes.client import Client
from tests.nodes.installation import temporary_installation
from tests.nodes.server import UVICORN, Server, running

SETTLE_S = 15.0  # a server that has just started is busy with itself
UPDATE = "system_status_update"


def cpu_s(process: psutil.Process) -> float:
    """Of the process and those it started: the server, not the Valkey that it keeps."""
    times = process.cpu_times()
    return float(times.user + times.system)


def cost(seconds: float) -> None:
    with ExitStack() as stack:
        servers = {}
        for label, monitor in (("without", "false"), ("with", "true")):
            place = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            installation = stack.enter_context(
                temporary_installation(
                    place,
                    STATUS_MONITOR=monitor,
                    DRAIN_WINDOW="0",
                    WORKER="false",
                    EMBEDDER="false",
                )
            )
            installation.manage("migrate", "--verbosity", "0")
            (server,) = stack.enter_context(running(Server(installation, UVICORN)))
            servers[label] = psutil.Process(server.process.pid)
        time.sleep(SETTLE_S)
        before = {label: cpu_s(process) for label, process in servers.items()}
        began = time.monotonic()
        time.sleep(seconds)
        passed = time.monotonic() - began
        used = {
            label: (cpu_s(process) - before[label]) / passed * 100
            for label, process in servers.items()
        }
    print(
        f"idle node over {passed:.0f} s: {used['without']:.2f} % of a core without the monitor, "
        f"{used['with']:.2f} % with it: {used['with'] - used['without']:.2f} % for it"
    )


def delay(seconds: float) -> None:
    with ExitStack() as stack:
        place = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        installation = stack.enter_context(
            temporary_installation(
                place, STATUS_MONITOR="true", DRAIN_WINDOW="0", WORKER="false", EMBEDDER="false"
            )
        )
        backstage = stack.enter_context(Backstage(installation))
        operator = backstage("person", name="Olga", permission="status.view_status")
        (server,) = stack.enter_context(
            running(Server(installation, ("-m", "bench.status_changes")))
        )
        client = stack.enter_context(
            Client(server.ws + "/ws", authorization=f"Api-Key {operator['key']}")
        ).greeted()
        client.ok("subscribe", stream="status")
        time.sleep(SETTLE_S)
        client.flushed()
        delays: list[float] = []
        last = ""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            frame = client.receive(10.0)
            now = time.time()
            text = frame.get("data", {}).get("texts", {}).get(NAME, "")
            if frame.get("type") == UPDATE and text not in {"", last}:
                last = text
                delays.append((now - float(text)) * 1000)
    print(
        f"from a change to its receipt: n={len(delays)} p50={statistics.median(delays):.1f} ms "
        f"p99={p99_ms(delays):.1f} ms max={max(delays):.1f} ms"
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0, help="of each measurement")
    parser.add_argument("--only", choices=["cost", "delay"], help="one of the two")
    given = parser.parse_args()
    if given.only != "delay":
        cost(given.seconds)
    if given.only != "cost":
        delay(given.seconds)


if __name__ == "__main__":
    main()
