"""A tiny ASGI application behind the real server, run as `python -m tests.server.app`.

It stands in for the project's own application so that the server's life can be tested without
Django. WebSocket clients are greeted with the worker's pid and closed by `drain`, as the real
sockets are. With FAIL_LIFESPAN in the environment it refuses to start.
"""

import argparse
import asyncio
import atexit
import os
import sys
from collections.abc import Awaitable, Callable, MutableMapping
from functools import partial
from pathlib import Path
from typing import Any

from uvicorn import Config

from realtime.embedded.valkey import EmbeddedValkey, guard_folder
from realtime.server.listener import address_of, open_listener
from realtime.server.server import Plan
from realtime.server.state import readiness
from realtime.server.supervisor import run

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

connected: set[Send] = set()


async def drain(window_s: float) -> None:
    """Tell every client, then close each at the end of the window."""
    clients = list(connected)
    for send in clients:
        text = f"server_shutdown accepting={readiness.accepting}"
        await send({"type": "websocket.send", "text": text})
    if clients:
        await asyncio.sleep(window_s)
    for send in clients:
        await send({"type": "websocket.close", "code": 1012})


async def application(scope: Message, receive: Receive, send: Send) -> None:
    """Answers lifespan, HTTP with the worker's pid, and WebSocket."""
    await {"lifespan": _lifespan, "http": _http, "websocket": _websocket}[scope["type"]](
        scope, receive, send
    )


async def _lifespan(scope: Message, receive: Receive, send: Send) -> None:
    await receive()
    if os.environ.get("FAIL_LIFESPAN"):
        await send({"type": "lifespan.startup.failed", "message": "asked to fail"})
        return
    await send({"type": "lifespan.startup.complete"})
    await receive()
    print("lifespan ended", flush=True)  # noqa: T201 - the test reads it
    await send({"type": "lifespan.shutdown.complete"})


async def _http(scope: Message, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": str(os.getpid()).encode()})


async def _websocket(scope: Message, receive: Receive, send: Send) -> None:
    await receive()
    await send({"type": "websocket.accept"})
    await send({"type": "websocket.send", "text": str(os.getpid())})
    connected.add(send)
    try:
        while (await receive())["type"] != "websocket.disconnect":
            pass
    finally:
        connected.discard(send)


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("data_dir", type=Path)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--window", type=float, default=5.0)
    options = parser.parse_args()
    atexit.register(print, "exit handlers ran", flush=True)
    listener = open_listener("127.0.0.1", 0)
    valkey = EmbeddedValkey(options.data_dir)
    valkey.ensure()
    config = Config(
        "tests.server.app:application",
        workers=options.workers,
        ws="websockets-sansio",
        loop="uvloop",
        lifespan="on",
        log_level="warning",
        timeout_graceful_shutdown=2,
    )
    plan = Plan(config, options.window, drain, partial(guard_folder, options.data_dir))
    address = address_of(listener)
    announce = partial(print, f"Listening on {address}", flush=True)
    try:
        return run(plan, listener, announce)
    finally:
        valkey.close()


if __name__ == "__main__":
    # Workers find the functions by module, not by `__main__`.
    from tests.server.app import main as named_main

    sys.exit(named_main())
