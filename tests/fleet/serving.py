"""Two nodes without servers, in a loop beside the test's thread."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from realtime import node as node_module
from realtime.shared.store import SharedStore
from tests.fleet.fakes import FakeConnection, FakeNode


class Serving:
    """A loop in a thread of its own with two nodes; the first is this process's."""

    def __init__(self, address: str | None) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever)
        self._thread.start()
        self.here, self.elsewhere = self.do(self._begin(address))

    async def _begin(self, address: str | None) -> tuple[FakeNode, FakeNode]:
        self.stores = [SharedStore(address, "t") if address else None for _ in range(2)]
        nodes = (FakeNode(), FakeNode())
        for node, store in zip(nodes, self.stores, strict=True):
            node.shared = store
            node.fleet = node.member(store)
        return nodes

    def do(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(10)

    def open(self, node: FakeNode, user_id: int) -> FakeConnection:
        """A socket on that node, listed."""

        async def opened() -> FakeConnection:
            connection = node.open(user_id)
            await node.fleet.look()
            return connection

        found: FakeConnection = self.do(opened())
        return found

    def stop(self) -> None:
        async def close() -> None:
            for store in self.stores:
                if store is not None:
                    await store.close()

        self.do(close())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
        self.loop.close()


@contextmanager
def serving(monkeypatch: pytest.MonkeyPatch, address: str | None) -> Iterator[Serving]:
    found = Serving(address)
    monkeypatch.setattr(node_module, "_node", found.here)
    try:
        yield found
    finally:
        found.stop()
