"""What a post costs while Redis hangs: `python -m bench.layer_down [--posts 300]`.

A server on a Valkey of its own; one HTTP client posts messages one after another, in turns with the
Valkey running and stopped (SIGSTOP), so that other load on the machine meets both alike. A request
that waited for Redis anywhere would show in the second line.
"""

import argparse
import statistics
import tempfile
from pathlib import Path

import httpx

from tests.faults.posting import post_times_ms
from tests.faults.valkey import running_valkey
from tests.nodes.backstage import Backstage
from tests.nodes.installation import temporary_installation
from tests.nodes.server import Server, running

WARM_UP = 30
ROUNDS = 10


def p99_ms(times: list[float]) -> float:
    return sorted(times)[min(len(times) - 1, round(len(times) * 0.99))]


def line(label: str, times: list[float]) -> str:
    return (
        f"{label:>16}  n={len(times)}  p50={statistics.median(times):6.2f} ms  "
        f"p99={p99_ms(times):6.2f} ms  max={max(times):6.2f} ms"
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--posts", type=int, default=300, help="posts of each measurement")
    posts = parser.parse_args().posts
    with (
        tempfile.TemporaryDirectory() as place,
        running_valkey(Path(place)) as valkey,
        temporary_installation(
            Path(place), DRAIN_WINDOW="0", REDIS_URL=f"redis://127.0.0.1:{valkey.port}"
        ) as installation,
        Backstage(installation) as backstage,
    ):
        team = backstage("team")
        headers = {"Authorization": f"Api-Key {team['people']['ada']['key']}"}
        with (
            running(Server(installation)) as (server,),
            httpx.Client(headers=headers, timeout=10) as client,
        ):
            address = f"{server.http}/api/projects/{team['project']}/messages/"
            post_times_ms(client, address, WARM_UP)
            normal, stopped = list[float](), list[float]()
            for _ in range(ROUNDS):
                normal += post_times_ms(client, address, posts // ROUNDS)
                valkey.pause()
                try:
                    stopped += post_times_ms(client, address, posts // ROUNDS)
                finally:
                    valkey.resume()
            print(line("redis running", normal))
            print(line("redis stopped", stopped))
            print(f"p99 stopped / normal = {p99_ms(stopped) / p99_ms(normal):.2f}")


if __name__ == "__main__":
    main()
