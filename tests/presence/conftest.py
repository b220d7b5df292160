"""A real Valkey of the module's own, and clients of it as nodes have them."""

from collections.abc import Callable, Coroutine, Iterator
from contextlib import closing
from typing import Any

import pytest
from asgiref.sync import async_to_sync

from realtime.embedded.valkey import EmbeddedValkey
from realtime.shared.store import SharedStore

Scene = Callable[[Callable[[SharedStore], Coroutine[Any, Any, None]]], None]


@pytest.fixture(scope="session")
def valkey_address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with closing(EmbeddedValkey(tmp_path_factory.mktemp("valkey"))) as valkey:
        valkey.ensure()
        yield f"unix://{valkey.socket_path}"


@pytest.fixture
def play(valkey_address: str, request: pytest.FixtureRequest) -> Scene:
    """Run a coroutine function with a store whose keys are the test's own."""

    def run(scene: Callable[[SharedStore], Coroutine[Any, Any, None]]) -> None:
        async def within() -> None:
            shared = SharedStore(valkey_address, request.node.nodeid)
            try:
                await scene(shared)
            finally:
                await shared.close()

        async_to_sync(within)()

    return run
