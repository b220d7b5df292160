"""Many answers at a time: `python -m bench.ai [--runs 100] [--rate 30] [--context]`.

One server, one worker, and a provider in a process of its own that speaks OpenAI's streaming API at
a steady rate; each run has a project and a socket of its own. The provider writes the moment of its
first token into it, so the way to the socket is measured by one clock, and every final text can be
computed again and compared.
"""

import argparse
import asyncio
import json
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
from websockets.asyncio.client import connect

from tests.nodes.backstage import ANSWER_TIMEOUT_S
from tests.nodes.installation import Installation, temporary_installation
from tests.nodes.server import Server, running
from tests.nodes.worker import WorkerProcess, working

GOAL_MS = 300.0
END_LIMIT_S = 60.0


def tokens(stamp: str, count: int) -> list[str]:
    """An answer: the moment of its first token, then words."""
    return [stamp, *(f" word{number}" for number in range(1, count))]


# The provider's process


async def provide(rate: float, seconds: float) -> None:
    """Answer every request with `rate` tokens a second; the port is printed."""
    count = round(rate * seconds)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        fields = dict(line.split(": ", 1) for line in head.decode().lower().split("\r\n")[1:-2])
        await reader.readexactly(int(fields["content-length"]))
        writer.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
        )
        began = time.time()
        for number, text in enumerate(tokens(f"{began:.6f}", count)):
            await asyncio.sleep(max(0.0, began + number / rate - time.time()))
            choice = {"index": 0, "delta": {"content": text}, "finish_reason": None}
            writer.write(b"data: " + json.dumps({"choices": [choice]}).encode() + b"\n\n")
        end = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
        writer.write(b"data: " + json.dumps(end).encode() + b"\n\ndata: [DONE]\n\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0, backlog=1000)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


@contextmanager
def provider(rate: float, seconds: float) -> Iterator[tuple[str, psutil.Process]]:
    """Its address and its process, ended afterwards."""
    command = [sys.executable, "-m", "bench.ai", "--provide", "--rate", str(rate)]
    process = subprocess.Popen(
        [*command, "--seconds", str(seconds)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    try:
        port = process.stdout.readline().strip()
        yield f"http://127.0.0.1:{port}/v1", psutil.Process(process.pid)
    finally:
        process.kill()
        process.wait()


# The sockets


@dataclass
class Followed:
    """One run as its socket saw it; moments are of `time.time()`."""

    asked_at: float = 0.0
    started_at: float = 0.0
    first_at: float = 0.0
    stamp: str = ""
    progress: int = 0
    longest_gap_s: float = 0.0
    text: str = ""
    state: str = ""
    last_at: float = field(default=0.0, repr=False)


async def follow(url: str, key: str, project: int, gate: asyncio.Barrier) -> Followed:
    """Subscribe, wait for all others, ask, read to the end."""
    found = Followed()
    headers = {"Authorization": f"Api-Key {key}"}
    async with connect(url, additional_headers=headers, compression=None, proxy=None) as socket:
        await _command(socket, 1, "subscribe", stream=f"project.{project}", snapshot=True)
        await gate.wait()
        found.asked_at = time.time()
        asked = {"stream": f"project.{project}", "body": "go on", "client_ref": "1"}
        await socket.send(json.dumps({"id": 2, "cmd": "send_message", "ask_ai": True, **asked}))
        async for text in socket:
            frame = json.loads(text)
            _take(found, frame.get("type", ""), frame.get("data", {}))
            if found.state:
                return found
    raise RuntimeError("expected the end of the run, got the end of the socket")


async def _command(socket: Any, number: int, cmd: str, **fields: Any) -> None:
    await socket.send(json.dumps({"id": number, "cmd": cmd, **fields}))
    while json.loads(await socket.recv()).get("reply") != number:
        pass


def _take(found: Followed, kind: str, data: dict[str, Any]) -> None:
    now = time.time()
    if kind == "ai_processing_start":
        found.started_at = now
    elif kind == "ai_processing_progress":
        if not found.progress:
            found.first_at, found.stamp = now, data["delta"].split(" ")[0]
        else:
            found.longest_gap_s = max(found.longest_gap_s, now - found.last_at)
        found.progress += 1
        found.last_at = now
    elif kind == "ai_response_generated":
        found.text = data["message"]["body"]
    elif kind == "ai_processing_end":
        found.state = data["state"]


async def follow_all(url: str, site: dict[str, Any]) -> list[Followed]:
    gate = asyncio.Barrier(len(site["rooms"]))
    pairs = zip(site["keys"], site["rooms"], strict=True)
    async with asyncio.timeout(END_LIMIT_S):
        return list(
            await asyncio.gather(*(follow(url, key, project, gate) for key, project in pairs))
        )


# The measurement


def site_of(installation: Installation, runs: int) -> dict[str, Any]:
    done = subprocess.run(
        installation.command("-m", "bench.site", str(runs), str(runs)),
        **installation.process_options(),
        capture_output=True,
        timeout=ANSWER_TIMEOUT_S,
        check=True,
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def cpu_s(pid: int) -> float:
    process = psutil.Process(pid)
    every = [process, *process.children(recursive=True)]
    return sum(sum(one.cpu_times()[:2]) for one in every)


def percentile(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def told(name: str, values_ms: list[float]) -> None:
    parts = [f"{label} {percentile(values_ms, share):.0f}" for label, share in SHARES]
    print(f"{name:<44}{' / '.join(parts)} / max {max(values_ms):.0f} ms")


SHARES = (("p50", 0.5), ("p95", 0.95))


def measure(runs: int, rate: float, seconds: float, *, context: bool) -> bool:
    """Print the figures; whether the goal was met."""
    variables = {
        "DEBUG": "false",
        "SECRET_KEY": secrets.token_urlsafe(40),
        "WORKER": "false",
        "CONTEXT_ENGINE": str(context).lower(),
    }
    with (
        tempfile.TemporaryDirectory(prefix="pm-ai-") as folder,
        temporary_installation(Path(folder), ALLOWED_HOSTS="127.0.0.1", **variables) as installed,
        provider(rate, seconds) as (url, process),
    ):
        site = site_of(installed, runs)
        asked = {"AI_MODEL": "openai:bench", "AI_BASE_URL": url}
        with (
            running(Server(installed)) as (server,),
            working(WorkerProcess(installed, **asked)) as worker,
        ):
            pids = {
                "server": server.process.pid,
                "worker": worker.process.pid,
                "provider": process.pid,
            }
            before = {name: cpu_s(pid) for name, pid in pids.items()}
            found = asyncio.run(follow_all(server.ws + "/ws", site))
            used = {name: cpu_s(pid) - before[name] for name, pid in pids.items()}
    return report(found, used, rate, seconds)


def report(found: list[Followed], used: dict[str, float], rate: float, seconds: float) -> bool:
    count = round(rate * seconds)
    equal = sum(one.text == "".join(tokens(one.stamp, count)) for one in found)
    late_ms = [(one.first_at - float(one.stamp)) * 1000 for one in found]
    print(f"{len(found)} runs, {rate:g} tokens/s each for {seconds:g} s")
    told("asked to start", [(one.started_at - one.asked_at) * 1000 for one in found])
    told("provider's first token to first piece", late_ms)
    told("longest silence between two pieces", [one.longest_gap_s * 1000 for one in found])
    signals = [one.progress / seconds for one in found]
    print(f"signals a second and run: {min(signals):.1f} to {max(signals):.1f}")
    print(f"completed {sum(one.state == 'completed' for one in found)}, texts equal {equal}")
    print("CPU: " + ", ".join(f"{name} {spent:.1f} s" for name, spent in used.items()))
    return equal == len(found) and percentile(late_ms, 0.95) < GOAL_MS


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--rate", type=float, default=30.0, help="tokens a second")
    parser.add_argument("--seconds", type=float, default=6.0, help="of each answer")
    parser.add_argument("--context", action="store_true", help="analyse each question as well")
    parser.add_argument("--provide", action="store_true", help="be the provider")
    given = parser.parse_args()
    if given.provide:
        asyncio.run(provide(given.rate, given.seconds))
    elif not measure(given.runs, given.rate, given.seconds, context=given.context):
        sys.exit(1)


if __name__ == "__main__":
    main()
