"""The listening socket, opened before anything else so that a busy port is told at once."""

import errno
import os
import socket

BACKLOG = 2048


class ListenError(Exception):
    """The address cannot be listened on; the message says what to change."""


def open_listener(host: str, port: int) -> socket.socket:
    """A socket that listens on `host`:`port` (0: any free port), for one or many processes.

    It listens from here on, not only from a worker's start: two sockets may be *bound* to one port
    with SO_REUSEADDR, and the second would be told much later. Raises ListenError.
    """
    if not 0 <= port <= 65_535:  # noqa: PLR2004 - the range of a port
        raise ListenError(f"expected a port from 0 to 65535, got {port}")
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
    except OSError as error:
        raise ListenError(f"HOST: expected an address to listen on, got {host}: {error}") from error
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise ListenError(_explain(error, host, port)) from error
    return listener


def address_of(listener: socket.socket) -> str:
    """`http://host:port` as a person would open it."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _explain(error: OSError, host: str, port: int) -> str:
    if error.errno == errno.EADDRINUSE:
        return (
            f"port {port} on {host} is in use: stop what listens there, or choose another port "
            f"with --port {port + 1 if port < 65_535 else 8000} or WEBSOCKET_PORT"  # noqa: PLR2004
        )
    if error.errno == errno.EACCES:
        return (
            f"expected a port that this user may listen on, got {port} on {host}: try --port 8000"
        )
    return f"HOST: expected an address of this machine, got {host}: {os.strerror(error.errno or 0)}"
