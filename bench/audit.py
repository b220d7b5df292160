"""What the admin takes for an audit log of 200,000 entries: `python -m bench.audit [--entries N]`.

In this process, without a server or a network: the pages as the test client gets them, the best of
three; the export as a server streams it, with what the process's memory grew by meanwhile. On
PostgreSQL: `python -m tests.postgres -- python -m bench.audit`.
"""

import argparse
import asyncio
import os
import resource
import time
from datetime import UTC, datetime, timedelta
from typing import Any

from bench.folder import temporary_site

BATCH = 5_000
TIMES = 3
ADDRESS = "/admin/realtime/auditentry/"
ACTIONS = ("sign_in", "sign_out", "connection_refused", "membership_added", "admin_change")
PAGES = {
    "list": {},
    "the last page": {"p": "-1"},  # filled in
    "by action": {"action": "admin_change"},
    "by result, rare": {"result": "4403"},
    "a day": {"at__year": "2026", "at__month": "1", "at__day": "9"},
    "search for a person": {"q": "person-77"},
    "search for a target": {"q": "project.4242"},
    "search in vain": {"q": "nowhere"},
}


def fill(entries: int) -> None:
    """As its writers chain them, over a hundred days; one of 5,000 refused with 4403."""
    from django.db import connection, transaction

    from realtime.audit.chaining import chain
    from realtime.audit.hashing import Content

    began = datetime(2026, 1, 1, tzinfo=UTC)
    step = timedelta(days=100) / entries
    for start in range(0, entries, BATCH):
        contents = [
            Content(
                began + step * number,
                ACTIONS[number % len(ACTIONS)],
                number % 500,
                f"person-{number % 500}",
                f"project.{number % 10_000}",
                "4403" if number % 5_000 == 0 else "done",
                f"192.0.2.{number % 256}",
                '{"changed":[{"changed":{"fields":["Name"]}}]}',
            )
            for number in range(start, min(entries, start + BATCH))
        ]
        with transaction.atomic():
            chain(connection, contents)


def pages(entries: int) -> None:
    from django.test import Client

    client = Client()
    client.force_login(_operator())
    PAGES["the last page"] = {"p": str(entries // 100)}
    for name, query in PAGES.items():
        took = []
        for _ in range(TIMES):
            began = time.perf_counter()
            answer = client.get(ADDRESS, query)
            took.append(time.perf_counter() - began)
            if answer.status_code != 200:
                raise SystemExit(f"{name}: expected 200, got {answer.status_code}")
        print(f"{name:22} {min(took) * 1000:6.0f} ms")


def _operator() -> Any:
    from django.contrib.auth import get_user_model

    model: Any = get_user_model()
    return model.objects.filter(username="root").first() or model.objects.create_superuser("root")


async def export(user: Any) -> None:
    from django.test import AsyncClient

    client = AsyncClient()
    await client.aforce_login(user)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began, first, lines, size = time.perf_counter(), 0.0, 0, 0
    answer: Any = await client.get(f"{ADDRESS}export/")
    async for part in answer:
        first = first or time.perf_counter() - began
        lines += part.count(b"\n")
        size += len(part)
    took = time.perf_counter() - began
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    print(
        f"{'export':22} {took:6.1f} s, the first bytes after {first * 1000:.0f} ms; "
        f"{lines - 1:,} rows, {size / 2**20:.0f} MiB, memory grew by {grown:.0f} MiB"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--entries", type=int, default=200_000)
    entries = parser.parse_args().entries
    with temporary_site("pm-audit-", os.environ.get("DATABASE_URL")) as environment:
        os.environ.update({**environment, "REDIS_URL": "memory://", "ALLOWED_HOSTS": "testserver"})
        import django
        from django.core.management import call_command

        django.setup()
        from django.conf import settings

        settings.SECURE_SSL_REDIRECT = False
        call_command("migrate", verbosity=0)
        began = time.perf_counter()
        fill(entries)
        print(f"{'filled':22} {time.perf_counter() - began:6.1f} s, {entries:,} entries")
        pages(entries)
        asyncio.run(export(_operator()))


if __name__ == "__main__":
    main()
