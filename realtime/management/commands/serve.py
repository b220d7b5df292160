"""`manage.py serve`: the server, a worker for jobs and the embedded Valkey, as one."""

import logging
import signal
from contextlib import ExitStack
from functools import partial
from types import FrameType
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from uvicorn import Config

from realtime.embedded.valkey import EmbeddedValkey, EmbeddedValkeyError, guard_folder
from realtime.hub import slices
from realtime.jobs.keeping import WorkerKeeper, worker_command
from realtime.registry import companions
from realtime.server.listener import BACKLOG, ListenError, address_of, open_listener
from realtime.server.prepared import PreparedProtocol
from realtime.server.server import Plan
from realtime.server.supervisor import Nobody, run
from realtime.server.upgrade import HttpProtocol
from realtime.sockets.liveness import pings_within
from realtime.tracing.spans import say_what_is_missing

_MAX_PORT = 65_535
_PORTS = f"a port from 1 to {_MAX_PORT}, or 0 for a free one"
_MAX_WORKERS = 128
_WORKERS = f"a number from 1 to {_MAX_WORKERS}"
# Requests in flight and long polls get this long once the sockets are drained.
_REQUESTS_TIMEOUT_S = 5

logger = logging.getLogger(__name__)


def _number(option: str, given: object, least: int, most: int, expected: str) -> int:
    """Checked here, not by argparse, whose usage would stand before the sentence.

    Raises CommandError.
    """
    text = str(given)
    # The length first: int() of an endless number is an error of its own.
    digits = text.isascii() and text.isdecimal() and len(text) <= len(str(most))
    if not digits or not least <= int(text) <= most:
        raise CommandError(f"{option}: expected {expected}, got {text[:40]!r}", returncode=2)
    return int(text)


def _exit_orderly(number: int, frame: FrameType | None) -> None:
    """A stop before or after serving: unwind, so that `finally` blocks and exit handlers run."""
    del number, frame
    raise SystemExit(0)


class Command(BaseCommand):
    """Serve until SIGTERM or Ctrl-C; exits 0 after a planned stop."""

    help = "Serve HTTP and WebSocket clients. Ctrl-C or SIGTERM stops it; a second one hurries."

    def add_arguments(self, parser: CommandParser) -> None:
        """The options; their defaults come from the environment."""
        parser.add_argument("--host", default=settings.PM.host, help="address to listen on")
        parser.add_argument(
            "--port",
            default=settings.PM.websocket_port,
            help="port to listen on; 0 takes a free one",
        )
        parser.add_argument("--workers", default=1, help="serving processes")
        parser.add_argument(
            "--skip-embedded",
            action="store_true",
            help="start no Valkey, although REDIS_URL is not set: somebody else keeps it",
        )
        parser.add_argument(
            "--no-worker",
            action="store_true",
            help="run no jobs here: `manage.py work` runs elsewhere (as WORKER=false)",
        )

    def handle(self, **options: Any) -> None:
        """Listen, start the embedded server, serve."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, _exit_orderly)
        port = _number("--port", options["port"], 0, _MAX_PORT, _PORTS)
        workers = _number("--workers", options["workers"], 1, _MAX_WORKERS, _WORKERS)
        _refuse_open_debug(options["host"])
        say_what_is_missing()
        embedded = settings.PM.redis_url is None and not options["skip_embedded"]
        with ExitStack() as stack:
            try:
                listener = stack.enter_context(open_listener(options["host"], port))
                if embedded:
                    valkey = EmbeddedValkey(settings.PM.data_dir)
                    stack.callback(valkey.close)
                    valkey.ensure()
            except (ListenError, EmbeddedValkeyError) as error:
                raise CommandError(str(error)) from error
            address = address_of(listener)
            noun = "worker" if workers == 1 else "workers"
            plan = Plan(
                _config(workers),
                settings.PM.drain_window,
                prepare=partial(guard_folder, settings.PM.data_dir) if embedded else None,
            )
            keeper = None
            if settings.PM.worker and not options["no_worker"]:
                keeper = _keeper()
                stack.callback(_finish, keeper)

            def on_ready() -> None:
                logger.info("fan_out=%s", "compiled" if slices.is_compiled else "python")
                print(f"Listening on {address} ({workers} {noun})", flush=True)
                if keeper is not None:
                    keeper.start()  # now: clients come first
                for companion in companions():
                    stack.enter_context(companion)

            status = run(plan, listener, on_ready, keeper or Nobody())
        if status:
            raise SystemExit(status)


def _keeper() -> WorkerKeeper:
    return WorkerKeeper(worker_command(), settings.BASE_DIR, drain_s=settings.PM.drain_window)


def _finish(keeper: WorkerKeeper) -> None:
    """The server has stopped; another signal now hurries the worker that still drains."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: keeper.hurry())
    keeper.finish()


def _refuse_open_debug(host: str) -> None:
    """DEBUG is on by default for one developer's machine: not where others reach it unasked.

    Raises CommandError.
    """
    environment = settings.PM
    local = host == "localhost" or host.startswith("127.") or host == "::1"
    if environment.debug and "debug" not in environment.model_fields_set and not local:
        raise CommandError(
            f"DEBUG: expected to be set on purpose before listening on {host}, which others reach; "
            "set DEBUG=false (or DEBUG=true if that is meant)"
        )


def _config(workers: int) -> Config:
    environment = settings.PM
    pings = pings_within(environment.websocket_connection_timeout)
    return Config(
        "pm_project.asgi:application",
        workers=workers,
        backlog=BACKLOG,
        loop="uvloop",
        http=HttpProtocol,
        ws=PreparedProtocol,
        ws_per_message_deflate=False,
        # Until a socket is handed over; above the size the protocol answers 1009.
        ws_ping_interval=pings.interval_s,
        ws_ping_timeout=pings.timeout_s,
        ws_max_size=environment.websocket_max_message_bytes,
        # Whose word for the client's address and for HTTPS counts.
        forwarded_allow_ips=list(environment.trusted_proxies),
        lifespan="on",
        timeout_graceful_shutdown=_REQUESTS_TIMEOUT_S,
        # Django's LOGGING is in force; uvicorn adds only its warnings to it.
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
    )
