"""The publisher against a channel layer that is away: hints may be lost, nobody waits for them."""

import asyncio
from typing import Any

import pytest

from realtime import publisher as module
from realtime.hints.joining import Announcement, joined
from realtime.log.entries import Entry
from realtime.publisher import Publisher


class FakeLayer:
    """Counts what is sent; while `mode` is "fail" every send raises, while "hang" none returns."""

    def __init__(self, mode: str) -> None:
        self.mode = mode
        self.calls = 0

    async def group_send(self, group: str, message: dict[str, Any]) -> None:
        self.calls += 1
        if self.mode == "fail":
            raise ConnectionError("refused")
        if self.mode == "hang":
            await asyncio.Event().wait()


@pytest.fixture
def publisher(monkeypatch: pytest.MonkeyPatch) -> Publisher:
    monkeypatch.setattr(module, "SEND_TIMEOUT_S", 0.02)
    return Publisher()


@pytest.mark.parametrize("mode", ["fail", "hang"])
def test_absent_layer_is_left_alone_and_found_again(publisher: Publisher, mode: str) -> None:
    """Of many hints three are tried; the others are dropped and counted at once."""
    layer = FakeLayer(mode)

    async def send(times: int) -> None:
        for number in range(times):
            await publisher._send(layer, f"project.{number}", {})

    asyncio.run(send(50))
    assert (layer.calls, publisher.failed, publisher.dropped) == (3, 3, 47)
    layer.mode = "ok"
    publisher.breaker._probe_at = 0.0  # its wait is over
    asyncio.run(send(10))
    assert publisher.sent == 10


def test_signals_stay_before_the_events_that_follow_them() -> None:
    """Found in a worker's first hints: they gathered while it connected, and then the end of an
    analysis was told before its progress. Events of one stream stay one message all the same."""

    def event(stream: str, seq: int) -> Announcement:
        return Announcement(stream, "e", (Entry(seq, b"{}", "x", None, None),))

    def signal(stream: str, after: int) -> Announcement:
        return Announcement(stream, "", (), (after, b"{}"))

    gathered = [
        signal("project.1", 4),
        signal("project.2", 8),
        signal("project.1", 4),
        event("project.1", 6),
        signal("project.1", 6),
        event("project.1", 5),
    ]
    told = [
        (
            stream,
            [after for after, _ in message["signals"]]
            if "signals" in message
            else {entry[0] for entry in message["entries"]},
        )
        for stream, message in joined(gathered, "o")
    ]
    assert told == [
        ("project.1", [4, 4]),
        ("project.1", {5, 6}),
        ("project.2", [8]),
        ("project.1", [6]),
    ]
