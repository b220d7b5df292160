"""The publisher: joined hints, a bounded queue, a flush, and a layer that does not answer."""

import asyncio
import threading
from typing import Any

import pytest

from realtime import publisher
from realtime.hints.joining import BATCH_BYTES, Announcement, joined
from realtime.log.entries import Entry
from realtime.protocol.frames import MAX_HINT_FRAME_BYTES
from realtime.publisher import Publisher
from tests.nodes.server import wait_until


class FakeLayer:
    """Keeps what was sent; waits before each while `open` is not set."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, dict[str, Any]]] = []
        self.open = threading.Event()
        self.open.set()
        self.fault: Exception | None = None

    async def group_send(self, group: str, message: dict[str, Any]) -> None:
        while not self.open.is_set():
            await asyncio.sleep(0.001)
        if self.fault is not None:
            raise self.fault
        self.sent.append((group, message))


@pytest.fixture
def layer(monkeypatch: pytest.MonkeyPatch) -> FakeLayer:
    found = FakeLayer()
    monkeypatch.setattr(publisher, "get_channel_layer", lambda: found)
    return found


def entry(seq: int, size: int = 10) -> Entry:
    return Entry(seq, b"x" * size, "new_message", None, None)


def announcement(stream: str, *entries: Entry, epoch: str = "e") -> Announcement:
    return Announcement(stream, epoch, entries)


def seqs(message: dict[str, Any]) -> list[int]:
    return [listed[0] for listed in message["entries"]]


def test_what_gathered_goes_out_joined_per_stream_in_order() -> None:
    """Whatever order the commits were handed over in; epochs are not mixed."""
    messages = joined(
        [
            announcement("a", entry(2)),
            announcement("b", entry(7)),
            announcement("a", entry(1), entry(3)),
            announcement("a", entry(1), epoch="f"),
        ],
        "o",
    )
    found = [(stream, message["epoch"], seqs(message)) for stream, message in messages]
    assert found == [("a", "e", [1, 2, 3]), ("b", "e", [7]), ("a", "f", [1])]


def test_large_frames_travel_as_position_and_parts_are_bounded() -> None:
    """Nothing is left out, and no message grows beyond the limit."""
    large = entry(1, MAX_HINT_FRAME_BYTES + 1)
    size = MAX_HINT_FRAME_BYTES
    many = [entry(seq, size) for seq in range(2, 30)]
    messages = [message for _, message in joined([announcement("a", large, *many)], "o")]
    assert [seq for message in messages for seq in seqs(message)] == list(range(1, 30))
    assert messages[0]["entries"][0][1] is None
    for message in messages:
        assert sum(len(one[1] or b"") for one in message["entries"]) <= BATCH_BYTES
    assert len(messages) == -(-28 * size // BATCH_BYTES)


def test_flush_waits_until_everything_is_sent(layer: FakeLayer) -> None:
    """From many threads at once; nothing is sent twice."""
    subject = Publisher()
    assert subject.flush(0.1)

    def put(thread: int) -> None:
        for number in range(50):
            subject.put_nowait(announcement(f"s{thread}", entry(number + 1)))

    threads = [threading.Thread(target=put, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert subject.flush(5)
    for number in range(4):
        sent = [
            seq for name, message in layer.sent if name == f"s{number}" for seq in seqs(message)
        ]
        assert sorted(sent) == list(range(1, 51))


def test_layer_that_does_not_answer_holds_nobody_up(
    layer: FakeLayer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Above the bounds the newest hint is dropped and counted; what waits goes out afterwards."""
    monkeypatch.setattr(publisher, "QUEUE_LIMIT", 10)
    subject = Publisher()
    layer.open.clear()
    subject.put_nowait(announcement("first", entry(1)))
    wait_until(lambda: not subject._queue, "the first to be under way")
    for number in range(15):
        subject.put_nowait(announcement("s", entry(number + 1)))
    assert subject.dropped == 5
    assert not subject.flush(0.01)
    layer.open.set()
    assert subject.flush(5)
    assert [seq for _, message in layer.sent[1:] for seq in seqs(message)] == list(range(1, 11))


def test_queue_is_bounded_in_bytes(layer: FakeLayer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bug: only announcements were counted, and 20,000 of them could hold gigabytes."""
    monkeypatch.setattr(publisher, "QUEUE_BYTES", 1000)
    subject = Publisher()
    layer.open.clear()
    subject.put_nowait(announcement("first", entry(1)))
    wait_until(lambda: not subject._queue, "the first to be under way")
    for number in range(5):
        subject.put_nowait(announcement("s", entry(number + 1, 400)))
    assert subject.dropped == 3
    layer.open.set()
    assert subject.flush(5)
    subject.put_nowait(announcement("s", entry(9, 900)))
    assert subject.flush(5)
    assert seqs(layer.sent[-1][1]) == [9]


def test_layer_that_fails_is_counted_and_tried_again(layer: FakeLayer) -> None:
    """A hint is at most once: the failed one is not repeated."""
    subject = Publisher()
    layer.fault = ConnectionError("refused")
    subject.put_nowait(announcement("s", entry(1)))
    assert subject.flush(5)
    layer.fault = None
    subject.put_nowait(announcement("s", entry(2)))
    assert subject.flush(5)
    assert (subject.failed, subject.sent) == (1, 1)
    assert seqs(layer.sent[-1][1]) == [2]


def test_local_hub_that_is_gone_costs_no_hint(
    layer: FakeLayer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bug: when the own loop was closed already, at the end of a process, the other nodes were
    not told either."""
    subject = Publisher()
    monkeypatch.setattr(publisher, "_publisher", subject)

    def closed(*arguments: Any) -> None:
        raise RuntimeError("Event loop is closed")

    publisher.attach_local_hub(closed, closed)
    try:
        publisher.announce("s", "e", [entry(1)])
        publisher.announce_signal("s", 1, b"signal")
    finally:
        publisher.detach_local_hub()
    assert subject.flush(5)
    assert [message["type"] for _, message in layer.sent] == [
        publisher.HINT_EVENTS,
        publisher.HINT_SIGNALS,
    ]
