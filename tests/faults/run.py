"""One run: start everything, let the faults happen, let everyone get level, compare."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path

from tests.faults.clients import Client
from tests.faults.database import open_runs, read_heads, read_logs, read_runs
from tests.faults.harness import World, world
from tests.faults.injections import Injections
from tests.faults.processes import until
from tests.faults.record import Account, compare_reader, compare_writes
from tests.faults.report import Outcome, tracebacks
from tests.faults.runs import compare_runs
from tests.faults.schedule import Variant, plan
from tests.faults.writers import Ledger, RestWriter, write_by_socket

FAR_SHARE = 0.3  # of the clients are behind links that fail
SOCKET_WRITERS = 6
REST_WRITERS = 4
ACKNOWLEDGED_WITHIN_S = 60.0
LEVEL_WITHIN_S = 45.0
ANSWERED_WITHIN_S = 45.0  # a lease, and pauses between attempts

Say = Callable[[str], None]


def made_clients(place: World, count: int) -> tuple[list[Client], int]:
    """Two of three projects and the stream of all for each; and how many of them are near."""
    near = count - int(count * FAR_SHARE)
    clients = []
    for number in range(count):
        person = place.people[number % len(place.people)]
        projects = [project for i, project in enumerate(place.projects) if i != number % 3]
        streams = [f"project.{project}" for project in projects] + ["system"]
        addresses = place.addresses(far=number >= near, first=number % 2)
        clients.append(Client(f"c{number}", person, addresses, streams))
    return clients, near


async def prove(
    seed: int, seconds: float, variant: Variant, folder: Path, *, client_count: int, say: Say
) -> Outcome:
    """Run the schedule of `seed` for that many seconds. Raises where the run itself breaks."""
    began = time.monotonic()
    random.seed(seed)  # the pauses of clients and writers; the schedule has dice of its own
    async with world(variant, folder) as place:
        clients, near = made_clients(place, client_count)
        ledger, tasks = Ledger(), list[asyncio.Task[None]]()
        injections = Injections(place, clients, near)
        outcome = Outcome(seed, str(variant), seconds, Account(), injections.injected)
        try:
            tasks += [asyncio.create_task(client.run()) for client in clients]
            await until(_all_subscribed(clients), "every client to subscribe", 30)
            say(f"{time.monotonic() - began:6.1f} s  everything runs")
            writing = _writers(place, clients, ledger)
            tasks += writing
            start = time.monotonic()

            def timed(text: str) -> None:
                say(f"{time.monotonic() - start:6.1f} s  {text}")

            await _inject(seed, seconds, variant, injections, timed)
            ledger.closing.set()
            timed("the faults are over")
            await _acknowledged(writing, outcome)
            outcome.answered_s = await _answered(place, outcome)
            # Reconnects have brought everybody up to date; this one the nodes must find themselves.
            await injections.die_before_sending(0, random.Random(seed))
            outcome.settled_s = await _level(place, clients, outcome)
            timed("the clients are level" if not outcome.notes else "compared as it is")
        finally:
            for task in tasks:
                task.cancel()
            ended = await asyncio.gather(*tasks, return_exceptions=True)
        # A task that broke is a fault of this program: better loud than four zeros.
        for error in ended:
            if isinstance(error, Exception):
                raise error
        _compare(place, clients, ledger, outcome)
        outcome.notes += injections.notes
        outcome.tracebacks = tracebacks([one.log for one in (*place.nodes, *place.workers)])
    return outcome


def _all_subscribed(clients: list[Client]) -> Callable[[], Awaitable[bool]]:
    async def all_subscribed() -> bool:
        return all(client.subscribed for client in clients)

    return all_subscribed


def _writers(place: World, clients: list[Client], ledger: Ledger) -> list["asyncio.Task[None]"]:
    socket_writers = random.sample(clients, min(SOCKET_WRITERS, len(clients)))
    works = [write_by_socket(client, ledger) for client in socket_writers]
    for number in range(REST_WRITERS):
        person = place.people[number % len(place.people)]
        works.append(RestWriter(f"rest{number}", place, person, ledger).run())
    return [asyncio.create_task(work) for work in works]


async def _inject(
    seed: int, seconds: float, variant: Variant, injections: Injections, say: Say
) -> None:
    """All lanes side by side; a fault that has begun is let end."""
    lanes = [
        asyncio.create_task(injections.follow(planned, say))
        for planned in plan(seed, seconds, variant).values()
    ]
    done, _ = await asyncio.wait(lanes, timeout=seconds, return_when=asyncio.FIRST_EXCEPTION)
    for lane in lanes:
        lane.cancel()
    ended = await asyncio.gather(*lanes, return_exceptions=True)
    for error in ended:
        if isinstance(error, Exception):
            raise error
    del done


async def _acknowledged(writing: list["asyncio.Task[None]"], outcome: Outcome) -> None:
    done, waiting = await asyncio.wait(writing, timeout=ACKNOWLEDGED_WITHIN_S)
    if waiting:
        outcome.misbehaviour.append(
            f"expected every write to be answered within {ACKNOWLEDGED_WITHIN_S:g} s, "
            f"got {len(waiting)} writers that wait"
        )
    for task in done:
        task.result()


async def _answered(place: World, outcome: Outcome) -> float:
    """Wait until no run is under way; how long that took, in seconds."""
    began = time.monotonic()

    async def ended() -> bool:
        return not await asyncio.to_thread(open_runs, place.database_url)

    try:
        await until(ended, "every run of the AI to end", ANSWERED_WITHIN_S, 0.25)
    except TimeoutError as error:
        outcome.notes.append(str(error))
    return time.monotonic() - began


async def _level(place: World, clients: list[Client], outcome: Outcome) -> float:
    """Wait until every client has read every stream to its head; how long that took, in seconds."""
    began = time.monotonic()

    async def level() -> bool:
        heads = await asyncio.to_thread(read_heads, place.database_url)
        return all(client.level(heads) for client in clients)

    try:
        await until(level, "every client to be level with the log", LEVEL_WITHIN_S, 0.25)
    except TimeoutError as error:
        outcome.notes.append(str(error))
    return time.monotonic() - began


def _compare(place: World, clients: list[Client], ledger: Ledger, outcome: Outcome) -> None:
    logs = read_logs(place.database_url)
    for client in clients:
        for stream, stretches in client.stretches.items():
            outcome.frames += compare_reader(outcome.account, client.name, stretches, logs[stream])
        outcome.client_counts += client.counts
        outcome.misbehaviour += client.misbehaviour
    asked = [write for write in ledger.writes if write.asks]
    outcome.runs = compare_runs(outcome.account, asked, *read_runs(place.database_url))
    outcome.acknowledged = compare_writes(outcome.account, ledger.writes, logs)
    outcome.unacknowledged = len(ledger.writes) - outcome.acknowledged
    outcome.clients, outcome.writer_counts = len(clients), Counter(ledger.counts)
    outcome.misbehaviour += ledger.misbehaviour
    outcome.write_took_s = ledger.took_s
    outcome.events = sum(log.head for log in logs.values())
    outcome.streams = len(logs)
