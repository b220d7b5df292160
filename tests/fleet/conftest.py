"""A real Valkey for the module, emptied before each test."""

from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest
from asgiref.sync import async_to_sync
from redis import Redis

from realtime.embedded.valkey import EmbeddedValkey
from realtime.shared.store import SharedStore

Scenario = Callable[[Callable[[SharedStore], Awaitable[None]]], None]


@pytest.fixture(scope="module")
def valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The socket of a Valkey of this module's own."""
    server = EmbeddedValkey(tmp_path_factory.mktemp("fleet"))
    server.ensure()
    try:
        yield server.socket_path
    finally:
        server.close()


@pytest.fixture
def redis(valkey: Path) -> Iterator["Redis"]:
    """A client beside the registry's, to look and to break things with."""
    with Redis(unix_socket_path=str(valkey)) as client:
        client.flushall()
        yield client


@pytest.fixture
def scenario(redis: "Redis", valkey: Path) -> Scenario:
    """Run a coroutine function with a store of its own, in a loop of its own."""

    def run(body: Callable[[SharedStore], Awaitable[None]]) -> None:
        async def whole() -> None:
            store = SharedStore(f"unix://{valkey}", "t")
            try:
                await body(store)
            finally:
                await store.close()

        async_to_sync(whole)()

    return run
