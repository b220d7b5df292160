"""The channel layer: own hints are dropped as they arrive, everything else passes."""

import asyncio
from typing import Any

import pytest

from realtime import publisher
from realtime.layer.channel_layer import QuietChannelLayer
from realtime.publisher import HINT_EVENTS, HINT_JOBS, HINT_SIGNALS

OTHER = "f" * 32


def received(layer: QuietChannelLayer, *sent: bytes) -> list[Any]:
    """What a channel gets of these bytes, which Redis brings for its group."""

    async def story() -> list[Any]:
        inner = layer._get_layer()
        queue: asyncio.Queue[bytes] = asyncio.Queue()
        inner.channels["mine"] = queue
        inner.groups["group"] = {"mine"}
        for data in sent:
            inner._shards[0]._came(b"group", data)
        return [layer.deserialize(queue.get_nowait()) for _ in range(queue.qsize())]

    return asyncio.run(story())


@pytest.fixture
def layer() -> QuietChannelLayer:
    return QuietChannelLayer(hosts=["redis://127.0.0.1:1"])


@pytest.mark.parametrize("kind", [HINT_EVENTS, HINT_SIGNALS])
def test_own_hints_are_dropped_and_others_pass(
    layer: QuietChannelLayer, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same hint by this process and by another one, which mark it alike."""
    hint = {"type": kind, "stream": "project.1"}
    own = layer.serialize(hint)
    with monkeypatch.context() as elsewhere:
        elsewhere.setattr(publisher, "_origin", OTHER)
        others = layer.serialize(hint)
    assert received(layer, own, others) == [hint]


def test_messages_that_nobody_was_told_of_here_pass(layer: QuietChannelLayer) -> None:
    """Workers hear of jobs by the layer alone, and a node may send an order to itself."""
    messages: list[dict[str, Any]] = [
        {"type": HINT_JOBS, "cancelled": [1]},
        {"type": "realtime.probe", "number": 3},
    ]
    assert received(layer, *map(layer.serialize, messages)) == messages


def test_fork_has_a_mark_of_its_own(
    layer: QuietChannelLayer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker is another process: its hints are for its parent, too."""
    for name in ("_publisher", "_local", "_origin"):  # put back afterwards
        monkeypatch.setattr(publisher, name, getattr(publisher, name))
    before = layer.serialize({"type": HINT_EVENTS})
    publisher._after_fork()
    assert received(layer, before) == [{"type": HINT_EVENTS}]
