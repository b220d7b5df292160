"""`manage.py local_llm`: a small language model that speaks OpenAI's API on loopback."""

import os
import signal
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from chat.ai.local_model import NAME, LocalModelMissing, local_model
from chat.conf import options as configured

DEFAULT_PORT = 8011
MAX_THREADS = 8


class Command(BaseCommand):
    """Serve until SIGTERM or Ctrl-C."""

    help = "Serve a small language model to this machine's workers. A demonstration."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--port", type=int, default=DEFAULT_PORT, help="0: a free one")
        parser.add_argument(
            "--threads",
            type=int,
            default=min(os.cpu_count() or 1, MAX_THREADS),
            help="that compute; all cores by default",
        )

    def handle(self, **options: Any) -> None:
        key = configured().ai_api_key
        # Blocked before the model's threads begin, which inherit that: only `sigwait` takes them.
        ends = {signal.SIGTERM, signal.SIGINT}
        before = signal.pthread_sigmask(signal.SIG_BLOCK, ends)
        try:
            with local_model(
                options["port"],
                threads=max(1, options["threads"]),
                api_key=key.get_secret_value() if key else None,
            ) as address:
                self.stdout.write(
                    f"Answering on {address}. Start the server with\n"
                    f"  AI_MODEL=openai:{NAME} AI_BASE_URL={address} AI_TIMEOUT_S=120"
                )
                self.stdout.flush()
                signal.sigwait(ends)
        except (LocalModelMissing, OSError) as error:
            raise CommandError(str(error)) from error
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
