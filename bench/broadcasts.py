"""How broadcasts hold up: `python -m bench.broadcasts [--clients 1000] [--later 200]`.

Everyone: people on two nodes, one account each, all of whom acknowledge. From just before the POST
to the receipt at each; from the last acknowledgement until the stored count says so; and those who
come later, half of them with accounts made later, from a snapshot. The urgent: a worker that is
held up until thousands of low ones wait; once it works on them ten urgent ones are asked for; from
then until the last of these is out. The writes: the statements that it takes until 10,000 people
are counted.

Receipts are those of the kernel, in a process of their own.
"""

import argparse
import asyncio
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import Any

import uvloop

from bench.folder import temporary_site
from bench.latency import percentile, running_server
from bench.listeners import Listener, listen_all
from tests.nodes.backstage import Backstage
from tests.nodes.installation import Installation
from tests.nodes.worker import WorkerProcess, working

WAIT_S = 60.0
ROUNDS = 12
WARM_UP = 2
PAUSE_S = 2.5
LIMITS = {f"BROADCAST_LIMIT_{scope}": "100000" for scope in ("SYSTEM", "PROJECT", "USER")}


async def until(condition: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + WAIT_S
    while not condition():
        if time.monotonic() > deadline:
            raise SystemExit(f"expected {what} within {WAIT_S:.0f} s")
        await asyncio.sleep(0.01)


def post(base: str, key: str, number: int) -> tuple[int, int]:
    """A system broadcast: the moment before it was sent, in ns, and its id."""
    given = {"title": f"Round {number}", "body": "*all* of you", "priority": "urgent"}
    request = urllib.request.Request(
        f"{base}/api/websocket/broadcast/system",
        json.dumps({**given, "confirm": True}).encode(),
        {"Authorization": f"Api-Key {key}", "Content-Type": "application/json"},
    )
    sent_ns = time.time_ns()
    with urllib.request.urlopen(request, timeout=10) as answer:
        return sent_ns, int(json.load(answer)["id"])


async def measure_everyone(
    options: argparse.Namespace, bases: list[str], backstage: Backstage
) -> None:
    later = options.later // 2
    made = backstage("crowd", people=options.clients + later, rooms=1)
    operator = backstage(
        "person", name="root", staff=True, permission="realtime.broadcast_to_everyone"
    )
    spawn = multiprocessing.get_context("spawn")
    pipe, theirs = spawn.Pipe()
    addresses = [base.replace("http", "ws", 1) + "/ws" for base in bases]
    keys = made["keys"][: options.clients]
    process = spawn.Process(
        target=listen_all, args=(theirs, addresses, keys, "system"), daemon=True
    )
    process.start()
    theirs.close()  # so that recv() ends when their process does
    assert pipe.recv() == "ready"
    await asyncio.sleep(PAUSE_S)
    times_ms: list[float] = []
    counted_s: list[float] = []
    ids = []
    for number in range(ROUNDS):
        sent_ns, broadcast = await asyncio.to_thread(post, bases[0], operator["key"], number)
        ids.append(broadcast)
        found, receipts, acked = await asyncio.to_thread(pipe.recv)
        if found != broadcast:
            raise SystemExit(f"expected broadcast {broadcast}, got {found}")
        if number >= WARM_UP:
            times_ms += [(at - sent_ns) / 1e6 for at in receipts]
        while True:
            counts = await asyncio.to_thread(backstage, "counts_of", broadcast=broadcast)
            if counts["delivered"] >= options.clients:
                break
            if time.monotonic() - acked > WAIT_S:
                raise SystemExit(f"expected {options.clients} delivered, got {counts}")
            await asyncio.sleep(0.02)
        counted_s.append(time.monotonic() - acked)
        if (counts["delivered"], counts["late"]) != (options.clients, 0):
            raise SystemExit(f"expected {options.clients} and 0 late, got {counts}")
        await asyncio.sleep(PAUSE_S)
    pipe.send("end")
    twice = pipe.recv()
    process.join()
    ordered = sorted(times_ms)
    shown = " ".join(f"p{share} {percentile(ordered, share):.0f}" for share in (50, 95, 99))
    print(
        f"POST to receipt, {options.clients} sockets, {ROUNDS - WARM_UP} rounds: {shown} "
        f"max {ordered[-1]:.0f} ms"
    )
    print(
        f"last acknowledgement to the stored count: max {max(counted_s):.2f} s "
        f"({', '.join(f'{one:.2f}' for one in counted_s)})"
    )
    new = backstage("crowd", people=options.later - later, rooms=1)
    keys = [*made["keys"][options.clients : options.clients + later], *new["keys"][:-1]]
    comers = [Listener(key, "system", [bases[number % 2]]) for number, key in enumerate(keys)]
    for comer in comers:
        comer.come(0)
    await until(lambda: all(set(one.got) >= set(ids) for one in comers), "the later ones")
    await asyncio.sleep(PAUSE_S)
    wrong = [
        one for one in comers if one.faults or any(one.got[broadcast] != 1 for broadcast in ids)
    ]
    counts = backstage("counts_of", broadcast=ids[-1])
    print(
        f"had one twice: {twice}; {len(comers)} later: each of {len(ids)} once at all but "
        f"{len(wrong)}; counts {counts}"
    )
    for one in comers:
        one.leave()


def measure_urgent(
    options: argparse.Namespace, worker: WorkerProcess, backstage: Backstage
) -> None:
    team = backstage("team")
    author = {"project": team["project"], "author": team["people"]["ada"]["id"]}
    worker.process.send_signal(signal.SIGSTOP)
    began = time.monotonic()
    low = backstage("speak", count=options.queued, **author)
    took = time.monotonic() - began
    worker.process.send_signal(signal.SIGCONT)
    # Not before the worker has its hands full of low ones.
    while backstage("published_at", broadcasts=low[:1]) == [None]:
        time.sleep(0.01)
    released = datetime.now(UTC)
    urgent = backstage("speak", count=10, priority="urgent", **author)
    asked_for = datetime.now(UTC)
    deadline = time.monotonic() + WAIT_S
    while None in (moments := backstage("published_at", broadcasts=urgent)):
        if time.monotonic() > deadline:
            raise SystemExit(f"expected 10 urgent ones out within {WAIT_S:.0f} s, got {moments}")
        time.sleep(0.01)
    out = max(datetime.fromisoformat(moment) for moment in moments)
    left = backstage("published_at", broadcasts=low).count(None)
    print(
        f"{options.queued} asked for in {took:.1f} s; 10 urgent ones among them out "
        f"{(out - asked_for).total_seconds():.2f} s after the commit, "
        f"{(out - released).total_seconds():.2f} s after they were begun; {left} low ones waited"
    )


# The writes, in a process of its own


def measure_writes(people: int, seconds: int) -> None:
    """Print what is written while `people` acknowledge one broadcast, spread over `seconds`."""
    import django
    from django.core.management import call_command

    django.setup()
    call_command("migrate", verbosity=0, interactive=False)
    from django.db import connection, transaction

    from chat.models import User
    from realtime.broadcasts import counting, moved
    from realtime.broadcasts.composing import create_broadcast
    from realtime.broadcasts.counts import counted
    from realtime.broadcasts.drafts import BroadcastDraft
    from realtime.broadcasts.publishing import publish_broadcast_now
    from realtime.delivery.ranges import Range, Steps
    from realtime.delivery.writing import PEOPLE_AT_ONCE, Whose, write
    from realtime.log.reading import stream_state
    from realtime.models import Broadcast, BroadcastAudience

    operator = User.objects.create(username="root", is_staff=True, is_superuser=True, password="!")
    users = User.objects.bulk_create(
        User(username=f"p{number}", password="!") for number in range(people - 1)
    )
    draft = BroadcastDraft(title="Hello", body="*all*", confirm=True)
    row = create_broadcast(operator, "system", draft).row
    began = time.perf_counter()
    with transaction.atomic():
        publish_broadcast_now(row.pk)
    publishing_ms = (time.perf_counter() - began) * 1000
    row.refresh_from_db()
    seq = row.seq or 0
    state = stream_state("system")
    written: dict[str, int] = {}

    def note(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        verb, *rest = sql.split()
        if verb in {"INSERT", "UPDATE", "DELETE"}:
            table = next(word for word in rest if "realtime_" in word).strip('"')
            written[f"{verb} {table}"] = written.get(f"{verb} {table}", 0) + 1
        return execute(sql, params, many, context)

    everybody = [operator, *users]
    counting_ms = []
    with connection.execute_wrapper(note):
        for second in range(seconds):
            part = everybody[second::seconds]
            for start in range(0, len(part), PEOPLE_AT_ONCE):
                gathered = {
                    Whose(state.id, user.pk, state.epoch): Steps([Range(seq, seq)])
                    for user in part[start : start + PEOPLE_AT_ONCE]
                }
                moved.on_arrivals(write(gathered).arrivals)
            # As the node does it: once behind a second's acknowledgements.
            while counting.count_broadcasts([row.pk]).again:
                time.sleep(moved.AGAIN_S)
            began = time.perf_counter()
            counted(row)
            counting_ms.append((time.perf_counter() - began) * 1000)
    stored = Broadcast.objects.get(pk=row.pk)
    kept = len(bytes(BroadcastAudience.objects.get(pk=row.pk).people))
    print(
        f"{people} people over {seconds} s: publishing {publishing_ms:.0f} ms, the list of them "
        f"{kept} bytes, a count {max(counting_ms):.0f} ms at most"
    )
    for name, number in sorted(written.items()):
        print(f"  {name}: {number} statements")
    print(f"  delivered {stored.delivered} of {stored.addressed}")


async def measure(options: argparse.Namespace, environment: dict[str, str]) -> None:
    installation = Installation(environment)
    with ExitStack() as stack:
        backstage = stack.enter_context(Backstage(installation))
        backstage("head", stream="system")  # answered once the database is there
        bases = [stack.enter_context(running_server(environment, 1)) for _ in range(2)]
        worker = stack.enter_context(working(WorkerProcess(installation)))
        if "everyone" in options.parts:
            await measure_everyone(options, bases, backstage)
        if "urgent" in options.parts:
            await asyncio.to_thread(measure_urgent, options, worker, backstage)


def parsed_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clients", type=int, default=1000, help="people on two nodes")
    parser.add_argument("--later", type=int, default=200, help="people who come later")
    parser.add_argument("--queued", type=int, default=5000, help="low ones before the urgent")
    parser.add_argument("--people", type=int, default=10_000, help="whose writes are counted")
    parser.add_argument(
        "--parts", default="everyone,urgent,writes", type=lambda text: text.split(",")
    )
    parser.add_argument("--database-url", default=os.environ.get("DATABASE_URL"))
    parser.add_argument("--writes-here", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


def main() -> None:
    options = parsed_options()
    if options.writes_here:
        measure_writes(options.people, 5)
        return
    if {"everyone", "urgent"} & set(options.parts):
        with temporary_site("pm-broadcasts-", options.database_url) as environment:
            uvloop.run(measure(options, environment | LIMITS))
    if "writes" in options.parts:
        with temporary_site("pm-broadcasts-", options.database_url) as environment:
            command = [sys.executable, "-m", "bench.broadcasts", "--writes-here"]
            subprocess.run([*command, "--people", str(options.people)], env=environment, check=True)


if __name__ == "__main__":
    main()
