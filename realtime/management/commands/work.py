"""`manage.py work`: runs jobs until it is stopped."""

import asyncio
import signal
from contextlib import ExitStack
from typing import Any

import uvloop
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from realtime.embedded.lifetime import die_with_parent
from realtime.jobs.worker import Worker
from realtime.recoveries import note_recovery
from realtime.registry import companions
from realtime.server.server import bound_stop
from realtime.tracing.spans import say_what_is_missing

MAX_CONCURRENCY = 10_000


class Command(BaseCommand):
    """Work until SIGTERM or Ctrl-C; exits 0 after a planned stop."""

    help = "Run jobs. Ctrl-C or SIGTERM hands them back within DRAIN_WINDOW; a second one at once."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--concurrency", default=settings.PM.worker_concurrency, help="jobs at a time"
        )
        parser.add_argument(
            "--supervisor", default=None, help="process that started this one and ends it"
        )

        parser.add_argument(
            "--restarts", default=0, type=int, help="how often that process had to, in a row"
        )

    def handle(self, **options: Any) -> None:
        supervisor = options["supervisor"]
        if options["restarts"]:
            note_recovery("jobs", "the server started another worker", tries=options["restarts"])
        if supervisor is not None:
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            die_with_parent(int(supervisor))
        text = str(options["concurrency"])
        if not (text.isascii() and text.isdecimal() and 1 <= int(text[:9]) <= MAX_CONCURRENCY):
            raise CommandError(
                f"--concurrency: expected a number from 1 to {MAX_CONCURRENCY}, got {text[:40]!r}",
                returncode=2,
            )
        with ExitStack() as stack:
            if supervisor is None:  # else it is `serve`, which keeps them itself
                say_what_is_missing()
                for companion in companions():
                    stack.enter_context(companion)
            uvloop.run(_work(int(text), supervised=supervisor is not None))


async def _work(concurrency: int, *, supervised: bool) -> None:
    drain_s = settings.PM.drain_window
    worker = Worker(concurrency=concurrency, drain_s=drain_s)
    loop = asyncio.get_running_loop()

    def stop() -> None:
        # Service managers signal the whole group, so a supervised one hears SIGTERM twice.
        if worker.stopping and not supervised:
            worker.hurry()
        elif not worker.stopping:
            bound_stop(drain_s)
            worker.stop()

    loop.add_signal_handler(signal.SIGTERM, stop)
    if supervised:
        loop.add_signal_handler(signal.SIGUSR1, worker.hurry)
    else:
        loop.add_signal_handler(signal.SIGINT, stop)
    await worker.run(None if supervised else lambda: print(f"Working as {worker.name}", flush=True))
