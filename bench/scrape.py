"""How long `/metrics` takes to answer while many sockets are open: `python -m bench.scrape`.

Sockets, asker and server's Valkey are other processes than the server; one server, no worker.
"""

import argparse
import asyncio
import resource
import statistics
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

import httpx

from bench.layer_down import p99_ms
from bench.memory import SPARE_FILES, join
from tests.nodes.backstage import Backstage
from tests.nodes.installation import temporary_installation
from tests.nodes.server import Server, running

TOKEN = "the-token-of-the-bench"
PEOPLE = 100  # who share the sockets


def scraped(base: str, times: int) -> tuple[list[float], httpx.Response]:
    """Milliseconds of each, on one connection, and the last answer."""
    spent: list[float] = []
    with httpx.Client(headers={"Authorization": f"Bearer {TOKEN}"}, timeout=30) as client:
        answer = client.get(f"{base}/metrics")
        for _ in range(times):
            began = time.perf_counter()
            answer = client.get(f"{base}/metrics").raise_for_status()
            spent.append((time.perf_counter() - began) * 1000)
            time.sleep(0.05)
    return spent, answer


async def measure(sockets: int, times: int) -> None:
    with ExitStack() as stack:
        place = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        installation = stack.enter_context(
            temporary_installation(
                place, METRICS_TOKEN=TOKEN, DRAIN_WINDOW="0", WORKER="false", EMBEDDER="false"
            )
        )
        backstage = stack.enter_context(Backstage(installation))
        made = backstage("crowd", people=PEOPLE, rooms=1)
        [server] = stack.enter_context(running(Server(installation)))
        keys = [made["keys"][number % PEOPLE] for number in range(sockets)]
        idlers = await join(server.http, [(made["rooms"][0], key) for key in keys])
        # In a thread: meanwhile this loop reads what the sockets are sent.
        spent, answer = await asyncio.to_thread(scraped, server.http, times)
        [told] = [line for line in answer.text.splitlines() if line.startswith("pm_connections ")]
        print(
            f"{told}, {len(answer.content)} bytes: n={len(spent)} "
            f"p50={statistics.median(spent):.1f} ms p99={p99_ms(spent):.1f} ms "
            f"max={max(spent):.1f} ms"
        )
        for idler in idlers:
            idler.close()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sockets", type=int, default=5_000)
    parser.add_argument("--times", type=int, default=100)
    given = parser.parse_args()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, given.sockets + SPARE_FILES), hard))
    asyncio.run(measure(given.sockets, given.times))


if __name__ == "__main__":
    main()
