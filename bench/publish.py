"""What a durable event costs beside a bare INSERT of the same row: `python -m bench.publish`.

For SQLite and for a PostgreSQL of its own: events a second into one stream and into 100, from one
thread and from eight, one event a transaction (`publish`) and 50 (`publish_many`). Each is measured
in turns with plain INSERTs of the same row into the same table, with the same threads, connections
and transactions, so that whatever else the machine does meets both. No server runs: this is the
writer's side alone, and the layer is the in-memory one unless `--redis-url` names another.
"""

import argparse
import json
import os
import statistics
import tempfile
import threading
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from itertools import count, product
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from tests.postgres import temporary_postgres

BATCH = 50
MANY_STREAMS = 100
MANY_THREADS = 8
ROUNDS = 3
BODY = "The build of the release branch is green again, see the notes."
# Numbers of streams that no project has: the bare rows are nobody's events.
FIRST_STREAM, FIRST_BARE_STREAM = 1_000_001, 2_000_001

Write = Callable[[int], None]  # one transaction; of which stream, by its place


@dataclass(frozen=True, slots=True)
class Case:
    """What is measured: `batch` events a transaction."""

    streams: int
    threads: int
    batch: int


@dataclass(frozen=True, slots=True)
class Result:
    """Events a second, by round."""

    database: str
    case: Case
    published: list[float]
    bare: list[float]

    @property
    def ratio(self) -> float:
        return statistics.median(self.published) / statistics.median(self.bare)


CASES = [
    Case(streams, threads, batch)
    for batch, streams, threads in product((1, BATCH), (1, MANY_STREAMS), (1, MANY_THREADS))
]


def rate(case: Case, write: Write, seconds: float) -> float:
    """Events a second of `write` from the case's threads, each with a connection of its own."""
    from django.db import connection

    start = threading.Barrier(case.threads + 1)
    done: list[int] = []
    failures: list[BaseException] = []

    def work(place: int) -> None:
        try:
            connection.ensure_connection()
            start.wait()
            deadline = time.perf_counter() + seconds
            written = 0
            while time.perf_counter() < deadline:
                write(place % case.streams)
                place += case.threads
                written += case.batch
            done.append(written)
        except BaseException as error:
            failures.append(error)
            start.abort()
            raise
        finally:
            connection.close()

    threads = [threading.Thread(target=work, args=(place,)) for place in range(case.threads)]
    for thread in threads:
        thread.start()
    start.wait()
    begin = time.perf_counter()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
    return sum(done) / (time.perf_counter() - begin)


def publishing(batch: int) -> Write:
    """The public way: checked, encoded, given its seq and announced."""
    from django.db import transaction

    from realtime.log.entries import EventDraft
    from realtime.log.writing import publish, publish_many

    numbers = count(1)

    def draft() -> EventDraft:
        number = next(numbers)
        message = {
            "id": number,
            "project": FIRST_STREAM,
            "session": 1,
            "kind": "user",
            "author": {"id": 7, "name": "Ada Lovelace"},
            "body": BODY,
            "client_ref": None,
            "reply_to": None,
            "created_at": "2026-01-01T12:00:00.000Z",
            "edited_at": None,
            "deleted": False,
        }
        return EventDraft("new_message", {"message": message}, subject=f"message.{number}")

    def write(place: int) -> None:
        stream = f"project.{FIRST_STREAM + place}"
        with transaction.atomic():
            if batch == 1:
                publish(stream, draft())
            else:
                publish_many(stream, [draft() for _ in range(batch)])

    return write


def inserting(batch: int, keys: list[int], frame: bytes) -> Write:
    """Plain INSERTs of a row of the same size into the same table; many by `executemany`."""
    from django.db import connection, transaction
    from django.utils import timezone

    sql = (
        "INSERT INTO realtime_event (stream_id, seq, uid, type, ts, frame, subject, ends, blanks) "
        "VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)"
    )
    adapted = connection.ops.adapt_datetimefield_value
    uid: Callable[[], Any] = uuid.uuid4
    if not connection.features.has_native_uuid_field:
        uid = lambda: uuid.uuid4().hex  # noqa: E731 - how Django stores it there

    def row(key: int) -> list[Any]:
        seq = next(_bare_seqs)
        moment = adapted(timezone.now())
        return [key, seq, uid(), "new_message", moment, frame, f"message.{seq}", None, None]

    def write(place: int) -> None:
        key = keys[place]
        with transaction.atomic(), connection.cursor() as cursor:
            if batch == 1:
                cursor.execute(sql, row(key))
            else:
                cursor.executemany(sql, [row(key) for _ in range(batch)])

    return write


_bare_seqs = count(1)


def stored_frame() -> bytes:
    """What `publish` stores, taken from a first event."""
    from realtime.models import Event

    publishing(1)(0)
    return bytes(Event.objects.latest("pk").frame)


def measure(database: str, seconds: float, cases: list[Case]) -> list[Result]:
    """In a process of its own, whose environment names the database."""
    import django

    os.environ["DJANGO_SETTINGS_MODULE"] = "pm_project.settings"
    django.setup()
    from django.core.management import call_command

    from realtime.models import Stream

    call_command("migrate", verbosity=0)
    for first in (FIRST_STREAM, FIRST_BARE_STREAM):
        names = (f"project.{first + place}" for place in range(MANY_STREAMS))
        Stream.objects.bulk_create(Stream(name=name) for name in names)
    bare_names = [f"project.{FIRST_BARE_STREAM + place}" for place in range(MANY_STREAMS)]
    keys = list(Stream.objects.filter(name__in=bare_names).values_list("pk", flat=True))
    frame = stored_frame()
    results: list[Result] = []
    for case in cases:
        publish, insert = publishing(case.batch), inserting(case.batch, keys, frame)
        rate(case, insert, 0.1)
        rate(case, publish, 0.1)
        result = Result(database, case, [], [])
        for _ in range(ROUNDS):
            result.bare.append(rate(case, insert, seconds))
            result.published.append(rate(case, publish, seconds))
        results.append(result)
    return results


def measured_apart(database: str, url: str, options: argparse.Namespace) -> list[Result]:
    with tempfile.TemporaryDirectory(prefix="pm-publish-") as folder:
        os.environ.update(
            DATA_DIR=folder,
            DATABASE_URL=url,
            DEBUG="true" if options.debug else "false",
            SECRET_KEY="only for this measurement, of nobody's worth",
            REDIS_URL=options.redis_url,
        )
        # Spawned: settings are read once in a process.
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as apart:
            return apart.submit(measure, database, options.seconds, options.cases).result()


def line(result: Result) -> str:
    case = result.case
    published, bare = (statistics.median(rates) for rates in (result.published, result.bare))
    return (
        f"{result.database:<12}{case.streams:>8}{case.threads:>9}{case.batch:>7}"
        f"{published:>12,.0f}{bare:>12,.0f}{result.ratio:>8.2f}"
    )


def parsed_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=1.0, help="of each of the 3 + 3 turns")
    parser.add_argument("--database", choices=["sqlite", "postgresql"], help="default: both")
    parser.add_argument("--streams", type=int, choices=[1, MANY_STREAMS], help="default: both")
    parser.add_argument("--threads", type=int, choices=[1, MANY_THREADS], help="default: both")
    parser.add_argument("--batch", type=int, choices=[1, BATCH], help="default: both")
    parser.add_argument("--redis-url", default="memory://", help="default: no other process hears")
    parser.add_argument("--debug", action="store_true", help="with the checks of development")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the results there, too")
    options = parser.parse_args()
    options.cases = [
        case
        for case in CASES
        if options.streams in {None, case.streams}
        and options.threads in {None, case.threads}
        and options.batch in {None, case.batch}
    ]
    return options


def main() -> None:
    """Measure, print, and write the results where that was asked for."""
    options = parsed_options()
    print(
        f"{'database':<12}{'streams':>8}{'threads':>9}{'batch':>7}"
        f"{'events/s':>12}{'INSERTs/s':>12}{'ratio':>8}"
    )
    results: list[Result] = []

    def show(database: str, url: str) -> None:
        found = measured_apart(database, url, options)
        results.extend(found)
        print("\n".join(map(line, found)), flush=True)

    if options.database in {None, "sqlite"}:
        show("sqlite", "")
    if options.database in {None, "postgresql"}:
        with temporary_postgres() as url:
            show("postgresql", url)
    if options.json:
        listed = [{**asdict(result), "ratio": result.ratio} for result in results]
        options.json.write_text(json.dumps(listed, indent=1) + "\n")


if __name__ == "__main__":
    main()
