"""What an operator is told when the registry of the nodes does not answer."""

from urllib.parse import urlsplit

from realtime.conf import options
from realtime.protocol.errors import RealtimeError, Unavailable


def advice(error: RealtimeError) -> str:
    """The error's message; where nothing answered, also what was asked and what to do."""
    if not isinstance(error, Unavailable):
        return error.message
    given = options().redis_url
    if given == "memory://":
        return f"{error.message}; with it each server knows its own sockets only"
    if given is None:
        return (
            f"{error.message}: no server seems to run on DATA_DIR={options().data_dir} "
            "(start one with `manage.py serve`, or set REDIS_URL to that of the servers)"
        )
    return (
        f"{error.message}: nothing answered at REDIS_URL={_shown(given.split(',')[0].strip())} "
        "(is it up, and is it the one that the servers use?)"
    )


def _shown(url: str) -> str:
    """Without user and password."""
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="").geturl()
