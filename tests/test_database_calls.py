"""Database work from the event loop: bounded, and not even tried while the database is away."""

import asyncio
import threading
from collections.abc import Awaitable, Callable

import pytest
from django.db import OperationalError

from realtime import database
from realtime.breaker import BreakerOpen, CircuitBreaker
from realtime.database import DatabaseAway, in_database
from realtime.protocol.errors import NotFound, Unavailable


@pytest.fixture(autouse=True)
def breaker(monkeypatch: pytest.MonkeyPatch) -> CircuitBreaker:
    """One of its own, which does not shut the tests that follow out of their database."""
    made = CircuitBreaker("database of a test", failures=3, wait_s=0.05, max_wait_s=0.1)
    monkeypatch.setattr(database, "breaker", made)
    return made


def play(story: Callable[[], Awaitable[None]]) -> None:
    async def main() -> None:
        await story()

    asyncio.run(main())


def away() -> None:
    raise OperationalError("connection refused")


def locked() -> None:
    raise OperationalError("database is locked")


def answer() -> int:
    return 7


def test_absent_database_is_unavailable_and_then_left_alone() -> None:
    """Three callers find out; the others are told at once, until one probe finds it again."""
    calls = 0

    def counted() -> None:
        nonlocal calls
        calls += 1
        away()

    async def story() -> None:
        for _ in range(10):
            with pytest.raises(Unavailable) as caught:
                await in_database(counted)
            assert caught.value.temporary
            assert caught.value.retry_after_ms
        assert calls == 3
        async with asyncio.timeout(5):
            while True:
                try:
                    assert await in_database(answer) == 7
                except BreakerOpen:
                    await asyncio.sleep(0.005)
                else:
                    break

    play(story)


def test_busy_database_and_errors_of_the_work_are_no_absence() -> None:
    """A locked row says that the database works."""

    def missing() -> None:
        raise NotFound("expected one, got none")

    async def story() -> None:
        for _ in range(10):
            with pytest.raises(Unavailable) as caught:
                await in_database(locked)
            assert not isinstance(caught.value, DatabaseAway)
            with pytest.raises(NotFound):
                await in_database(missing)
        assert await in_database(answer) == 7

    play(story)


def test_nobody_waits_longer_than_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """A database that hangs: every caller is answered, those without a thread too, and their work
    is not begun when there is room again."""
    monkeypatch.setattr(database, "LIMIT_S", 0.1)
    release = threading.Event()
    began: list[int] = []

    def hang(number: int) -> None:
        began.append(number)
        release.wait(10)

    async def story() -> None:
        calls = [in_database(hang, number) for number in range(database.THREADS + 5)]
        try:
            results = await asyncio.gather(*calls, return_exceptions=True)
        finally:
            release.set()
        assert all(isinstance(result, DatabaseAway) for result in results), results
        assert len(began) == database.THREADS

    play(story)
    assert len(began) == database.THREADS
