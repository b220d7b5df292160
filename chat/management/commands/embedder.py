"""`manage.py embedder`: the process that holds the language model for this machine."""

import asyncio
import fcntl
import os
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from chat.search.wire import NAME, embedder_socket
from realtime.embedded.endpoint import EmbeddedValkeyError, claim_folder


class Command(BaseCommand):
    """Serve until SIGTERM or Ctrl-C. `serve` and `work` start one themselves."""

    help = "Answer similarity questions of this machine's servers and workers."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--kept",
            action="store_true",
            help="whoever started this holds the data folder's lock for it",
        )

    def handle(self, **options: Any) -> None:
        # Late: no other process may import numpy and onnxruntime, and loading commands must not.
        # One thread: matrices here are small, and the cores belong to the servers.
        os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
        try:
            from chat.search.engine.freeing import give_memory_back
            from chat.search.engine.model import EmbeddingModel, ModelInvalid
            from chat.search.engine.server import EmbedderServer
            from chat.search.engine.service import Service
            from chat.search.engine.wordpiece import VocabularyInvalid
        except ImportError as error:
            raise CommandError(
                f"expected the packages of requirements-search.txt, got: {error}"
            ) from error
        folder = settings.PM.data_dir
        lock = None if options["kept"] else _lock(folder / f"{NAME}.lock")
        try:
            path = embedder_socket(folder)
            if path.parent != folder.resolve():
                claim_folder(path.parent)
            service = Service(EmbeddingModel())
        except (ModelInvalid, VocabularyInvalid, EmbeddedValkeyError) as error:
            raise CommandError(str(error)) from error
        give_memory_back()

        async def serve() -> None:
            server = EmbedderServer(path, service)
            await server.serve(lambda: print(f"Embedding on {path}", flush=True))

        asyncio.run(serve())
        if lock is not None:
            os.close(lock)


def _lock(path: os.PathLike[str]) -> int:
    """Held until the process ends. Raises CommandError."""
    held = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(held)
        raise CommandError(
            "expected no other embedder on the data folder, got one (`serve` and `work` start one)"
        ) from error
    return held
