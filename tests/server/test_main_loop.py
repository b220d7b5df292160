"""The loop of a server that has nothing to do: it sleeps, until a signal or for a second."""

import asyncio
import signal
import time
from typing import Any

import pytest
from uvicorn import Config

from realtime.server import server as server_module
from realtime.server.server import DrainingServer, Plan
from realtime.server.state import readiness


async def _nothing(scope: Any, receive: Any, send: Any) -> None:
    """An application that is never asked."""


async def started() -> DrainingServer:
    """As `startup` leaves it, without a listener."""
    config = Config(_nothing, log_config=None)
    config.load()
    server = DrainingServer(Plan(config))
    server._loop = asyncio.get_running_loop()
    return server


def test_stop_wakes_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    """A signal's handler runs outside the loop, and what it says is not left for the next look."""
    monkeypatch.setattr(server_module, "_TICK_S", 3600.0)
    monkeypatch.setattr(readiness, "accepting", True)

    async def story() -> None:
        server = await started()
        serving = asyncio.create_task(server.main_loop())
        await asyncio.sleep(0)
        assert not serving.done()
        await asyncio.to_thread(server.handle_exit, signal.SIGTERM, None)
        async with asyncio.timeout(10):
            await serving
        assert readiness.accepting is False

    asyncio.run(story())


def test_date_of_responses_moves_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_module, "_TICK_S", 0.001)
    now = [1_700_000_000.0]
    monkeypatch.setattr(time, "time", lambda: now[0])

    async def story() -> None:
        server = await started()
        serving = asyncio.create_task(server.main_loop())
        async with asyncio.timeout(10):
            for expected in (b"22:13:20", b"22:14:20"):
                while not any(
                    expected in value for _, value in server.server_state.default_headers
                ):
                    await asyncio.sleep(0.001)
                now[0] += 60.0
        serving.cancel()

    asyncio.run(story())
