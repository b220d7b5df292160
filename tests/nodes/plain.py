"""`manage.py serve` without what is ours in it: uvicorn's own server and its own WebSocket class.

Run as `python -m tests.nodes.plain`, on any free port. The rest of uvicorn's configuration is that
of `serve`; there is no drain, and the channel layer is somebody else's.
"""

import os
from socket import socket

import django
from uvicorn import Config, Server

from realtime.server.listener import address_of, open_listener

STOCK_CLASS = "websockets-sansio"


class Plain(Server):
    """Says where it listens, as `serve` does."""

    async def startup(self, sockets: list[socket] | None = None) -> None:
        await super().startup(sockets)
        for listener in sockets or []:
            print(f"Listening on {address_of(listener)}", flush=True)  # noqa: T201 - what tests read


def serve(config: Config) -> None:
    """Until SIGTERM; uvicorn ends by raising the signal again."""
    with open_listener("127.0.0.1", 0) as listener:
        Plain(config).run(sockets=[listener])


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "pm_project.settings")
    django.setup()
    from realtime.management.commands.serve import _config  # late: it reads the settings

    config: Config = _config(workers=1)
    config.ws = STOCK_CLASS
    serve(config)


if __name__ == "__main__":
    main()
