"""Applications that send every message back: `python -m tests.conformance.echo asgi|handed-over`.

Served by uvicorn with our WebSocket class, on a free port, configured as `manage.py serve` does it,
but for the largest message: a case sends 256 KiB.
"""

import os
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import django

from realtime.server.frames import binary_frame, text_frame
from realtime.server.prepared import PREPARED_FRAMES, PreparedProtocol
from realtime.server.wire import Wire
from realtime.sockets.uvicorn import install
from tests.nodes.plain import serve

Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


async def through_asgi(scope: dict[str, Any], receive: Receive, send: Send) -> None:
    await receive()
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] == "websocket.receive":
        kept = {kind: message[kind] for kind in ("text", "bytes") if message.get(kind) is not None}
        try:
            await send({"type": "websocket.send", **kept})
        except OSError:  # the peer is gone, as the ASGI specification has it
            return


async def handed_over(scope: dict[str, Any], receive: Receive, send: Send) -> None:
    await receive()
    await send({"type": "websocket.accept"})
    wire = scope["extensions"][PREPARED_FRAMES]["hand_over"]()
    if wire is not None:  # else the peer is gone already
        wire.start(Echo(wire))


class Echo:
    """What a socket was handed over to."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    def text_received(self, text: str) -> None:
        self._wire.write(text_frame(text.encode()))

    def binary_received(self, data: bytes) -> None:
        self._wire.write(binary_frame(data))

    def disconnected(self, code: int) -> None:
        """Nothing is kept that would have to go."""


MAX_MESSAGE_BYTES = 1_048_576
APPLICATIONS = {"asgi": through_asgi, "handed-over": handed_over}


def main(way: str) -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "pm_project.settings")
    django.setup()
    install()
    from realtime.management.commands.serve import _config  # late: it reads the settings

    config = _config(workers=1)
    config.app, config.lifespan, config.ws = APPLICATIONS[way], "off", PreparedProtocol
    config.ws_max_size = MAX_MESSAGE_BYTES
    serve(config)


if __name__ == "__main__":
    main(*sys.argv[1:])
