"""`manage.py embed_memories`: give memories their vectors now, without a worker."""

import time
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from chat.search.embedding import embed_pending
from realtime.protocol.errors import Unavailable


class Command(BaseCommand):
    """Needs a running embedder: `serve`, `work` or `embedder` on this machine."""

    help = "Embed the memories that have no vector of the present model."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--project", type=int, help="only those of this project")
        parser.add_argument("--limit", type=int, help="at most so many")

    def handle(self, **options: Any) -> None:
        started = time.perf_counter()
        try:
            done = embed_pending(options["project"], options["limit"])
        except Unavailable as error:
            raise CommandError(error.message) from error
        self.stdout.write(f"embedded {done} memories in {time.perf_counter() - started:.2f} s")
