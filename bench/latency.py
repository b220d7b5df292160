"""How long a message takes to reach its readers, on a real server: `python -m bench.latency`.

A fresh server on a free port, the demo's room, WebSocket readers in a process of their own, and one
writer that sends a message at a time, evenly paced. All clocks are this machine's CLOCK_REALTIME.
"""

import argparse
import json
import math
import multiprocessing
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime
from pathlib import Path
from urllib.parse import urlsplit

from websockets.sync.client import connect

from bench.folder import ALONE
from bench.readers import RECEIPT_TIMEOUT_S, read_all

ROOT = Path(__file__).resolve().parent.parent
START_TIMEOUT_S = 30

Clocks = tuple[int, int | None]  # ns: just before the sending, and the commit where it is known
Post = Callable[[str], Clocks]


def posting_by_socket(stack: ExitStack, base: str, key: str, project: int) -> Post:
    """`send_message` on a WebSocket of its own; the reply is awaited before the next one."""
    address = base.replace("http", "ws", 1) + "/ws"
    headers = {"Authorization": f"Api-Key {key}"}
    client = stack.enter_context(connect(address, additional_headers=headers, proxy=None))
    stream = f"project.{project}"

    def post(ref: str) -> Clocks:
        command = {"id": 1, "cmd": "send_message", "stream": stream}
        text = json.dumps({**command, "body": f"message {ref}", "client_ref": ref})
        sent_ns = time.time_ns()
        client.send(text)
        while "reply" not in (reply := json.loads(client.recv(timeout=RECEIPT_TIMEOUT_S))):
            pass
        assert reply["ok"], reply
        return sent_ns, None

    return post


def posting_by_rest(stack: ExitStack, base: str, key: str, project: int) -> Post:
    """POST requests, each with a connection of its own as `urllib` does."""
    del stack
    headers = {"Authorization": f"Api-Key {key}", "Content-Type": "application/json"}

    def post(ref: str) -> Clocks:
        body = json.dumps({"body": f"message {ref}", "client_ref": ref}).encode()
        url = f"{base}/api/projects/{project}/messages/"
        request = urllib.request.Request(url, body, headers)
        sent_ns = time.time_ns()
        with urllib.request.urlopen(request, timeout=RECEIPT_TIMEOUT_S) as response:
            response.read()
        return sent_ns, None

    return post


def posting_by_process(stack: ExitStack, base: str, key: str, project: int) -> Post:
    """The action itself, in this process: the commit is seen exactly, and only the channel layer
    can tell the server of it, as it would of another server's commit."""
    del base
    import django

    os.environ["DJANGO_SETTINGS_MODULE"] = "pm_project.settings"
    django.setup()
    from django.db import connection, transaction

    from chat.actions.messages import send_message
    from realtime.publisher import publisher
    from realtime.security.identity import identity_of_header

    author = identity_of_header(f"Api-Key {key}").user
    stack.callback(connection.close)
    stack.callback(publisher().flush)

    def post(ref: str) -> Clocks:
        commits: list[int] = []
        sent_ns = time.time_ns()
        with transaction.atomic():
            # Registered first, so it runs first: directly after COMMIT has returned.
            transaction.on_commit(lambda: commits.append(time.time_ns()))
            send_message(author, project, body=f"message {ref}", client_ref=ref)
        return sent_ns, commits[0]

    return post


WAYS = {"socket": posting_by_socket, "rest": posting_by_rest, "process": posting_by_process}


@contextmanager
def running_server(environment: dict[str, str], workers: int) -> Iterator[str]:
    """A server on a free port; yields its address, and leaves no process."""
    command = [sys.executable, "manage.py", "serve", "--port", "0", "--workers", str(workers)]
    server = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)
    late = threading.Timer(START_TIMEOUT_S, server.kill)
    late.start()
    try:
        assert server.stdout is not None
        line = server.stdout.readline()
        late.cancel()
        if not line.startswith("Listening on "):
            raise SystemExit(f"expected the server to listen within {START_TIMEOUT_S} s")
        yield line.split()[2]
    finally:
        late.cancel()
        server.send_signal(signal.SIGTERM)
        try:
            server.wait(timeout=20)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def manage(environment: dict[str, str], *arguments: str) -> str:
    command = [sys.executable, "manage.py", *arguments]
    return subprocess.run(
        command, cwd=ROOT, env=environment, check=True, text=True, stdout=subprocess.PIPE
    ).stdout


def measure(options: argparse.Namespace, environment: dict[str, str]) -> dict[str, list[float]]:
    """Milliseconds of every receipt, by what they are counted from."""
    manage(environment, "migrate", "--verbosity", "0")
    demo = json.loads(manage(environment, "demo", "--json", "--new-keys"))
    project = demo["project"]["id"]
    writer, reader = (user["api_key"] for user in demo["users"])
    refs = [f"latency-{os.getpid()}-{number}" for number in range(options.count + options.warm_up)]
    clocks: dict[str, Clocks] = {}
    with ExitStack() as stack:
        base = stack.enter_context(running_server(environment, options.workers))
        room = base.replace("http", "ws", 1) + f"/ws/projects/{project}"
        spawn = multiprocessing.get_context("spawn")
        pipe, theirs = spawn.Pipe()
        readers = spawn.Process(
            target=read_all, args=(theirs, room, reader, options.clients, len(refs)), daemon=True
        )
        readers.start()
        theirs.close()  # so that recv() ends when the readers' process does
        stack.callback(readers.join)
        stack.callback(readers.terminate)
        assert pipe.recv() == "ready"
        post = WAYS[options.via](stack, base, writer, project)
        begin = time.monotonic()
        for number, ref in enumerate(refs):
            time.sleep(max(0.0, begin + number * options.interval_ms / 1000 - time.monotonic()))
            clocks[ref] = post(ref)
        receipts = pipe.recv()
    return latencies(refs[options.warm_up :], clocks, receipts)


def latencies(
    refs: list[str], clocks: dict[str, Clocks], receipts: dict[str, tuple[list[int], str]]
) -> dict[str, list[float]]:
    """Where the commit was not seen, the event's `ts` bounds it: that is taken in the transaction,
    before the commit, and cut to whole milliseconds."""
    found: dict[str, list[float]] = {}
    for ref in refs:
        sent_ns, commit_ns = clocks[ref]
        moments, ts = receipts[ref]
        name = "commit to receipt"
        if commit_ns is None:
            name += ", at most"
            commit_ns = round(datetime.fromisoformat(ts).timestamp() * 1000) * 10**6
        found.setdefault("sent to receipt", []).extend((at - sent_ns) / 1e6 for at in moments)
        found.setdefault(name, []).extend((at - commit_ns) / 1e6 for at in moments)
    return {name: sorted(values) for name, values in found.items()}


def percentile(ordered: list[float], share: int) -> float:
    """By nearest rank."""
    return ordered[math.ceil(len(ordered) * share / 100) - 1]


def parsed_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=300, help="messages that are measured")
    parser.add_argument("--warm-up", type=int, default=20, help="messages before them")
    parser.add_argument("--clients", type=int, default=1, help="readers of the room")
    parser.add_argument("--workers", type=int, default=1, help="serving processes")
    parser.add_argument("--interval-ms", type=float, default=20, help="between two messages")
    parser.add_argument("--via", choices=WAYS, default="socket", help="how messages are written")
    parser.add_argument(
        "--database-url",
        default=os.environ.get("DATABASE_URL"),
        help="default: DATABASE_URL, or else SQLite in a temporary folder",
    )
    options = parser.parse_args()
    if min(options.count, options.clients, options.workers) < 1:
        parser.error("expected at least 1 for --count, --clients and --workers")
    return options


def main() -> None:
    options = parsed_options()
    with tempfile.TemporaryDirectory(prefix="pm-latency-") as folder:
        os.environ.update(DATA_DIR=folder, DEBUG="true", DATABASE_URL=options.database_url or "")
        os.environ.update(ALONE)
        found = measure(options, dict(os.environ))
    kind = urlsplit(options.database_url).scheme if options.database_url else "sqlite"
    clock = "kernel" if sys.platform == "linux" else "recv"
    print(
        f"{options.count} messages by {options.via} every {options.interval_ms:g} ms, "
        f"{options.clients} readers, {options.workers} workers, {kind}, receipt by {clock}"
    )
    print(f"{'ms':<28}{'p50':>9}{'p95':>9}{'p99':>9}{'max':>9}")
    for name, values in found.items():
        shown = [*(percentile(values, share) for share in (50, 95, 99)), values[-1]]
        print(f"{name:<28}" + "".join(f"{value:9.2f}" for value in shown))


if __name__ == "__main__":
    main()
