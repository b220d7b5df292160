"""Steps in a real Valkey: in order, within bounds, gone after an hour, and nobody waits for it."""

import time

import pytest
from redis import Redis

from realtime.tracing import recorder
from realtime.tracing.recorder import KEEP_S, MAX_STEPS, Kept, Recorder, Step, redis_at


def step(kind: str, at: float) -> Step:
    return Step(kind, at, "here", {"took_ms": 1.5})


def test_steps_come_back_by_their_times(kept: Kept) -> None:
    """Processes write their batches when they can; the reader sorts."""
    recording = Recorder(kept)
    recording.put_nowait("project.1", 7, step("received", 12.5))
    recording.put_nowait("project.1", 7, step("committed", 12.0))
    recording.put_nowait("project.1", 8, step("committed", 13.0))
    assert recording.flush(10)
    assert kept.read("project.1", 7) == [step("committed", 12.0), step("received", 12.5)]
    assert [one.at for one in kept.read("project.1", 8)] == [13.0]
    assert kept.read("project.2", 7) == []
    assert recording.lost == 0


def test_steps_of_an_event_are_gone_after_an_hour(kept: Kept, valkey_address: str) -> None:
    """The store forgets them by itself: the time is read from it, then let run out."""
    kept.write([("project.1", 7, step("committed", 1.0))])
    with Redis.from_url(valkey_address) as redis:
        left_s = redis.ttl(kept.key("project.1", 7))
        assert KEEP_S - 60 < left_s <= KEEP_S == 3600
        redis.pexpire(kept.key("project.1", 7), 1)
        deadline = time.monotonic() + 10
        while redis.dbsize():
            assert time.monotonic() < deadline
    assert kept.read("project.1", 7) == []


def test_first_steps_of_an_event_stay(kept: Kept) -> None:
    """A hundred nodes, or one that heals again and again, cannot fill the store."""
    kept.write([("project.1", 7, step("committed", at)) for at in range(MAX_STEPS + 50)])
    kept.write([("project.1", 7, step("received", MAX_STEPS + 60))])
    assert [one.at for one in kept.read("project.1", 7)] == list(range(MAX_STEPS))


def test_writer_does_not_wait_for_a_dead_store(monkeypatch: pytest.MonkeyPatch) -> None:
    """What cannot be kept is counted; what gathers meanwhile is bounded."""
    monkeypatch.setattr(recorder, "PAUSE_S", 0.0)
    dead = Recorder(Kept(redis_at("unix:///nowhere/valkey.sock"), "t"))
    dead.put_nowait("project.1", 7, step("committed", 1.0))
    assert dead.flush(10)
    assert dead.lost == 1


def test_queue_drops_the_oldest(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    """Above the bound, while the writer is still gathering."""
    monkeypatch.setattr(recorder, "QUEUE_LIMIT", 3)
    recording = Recorder(kept)
    with recording._turn:  # the writer takes nothing meanwhile
        for at in range(5):
            recording.put_nowait("project.1", 7, step("committed", at))
    assert recording.flush(10)
    assert recording.lost == 2
    assert [one.at for one in kept.read("project.1", 7)] == [2, 3, 4]
