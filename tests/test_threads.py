"""The pool of the database's threads."""

import threading
from concurrent.futures import Future

import pytest

from realtime.threads import RecentFirst

WITHIN_S = 5.0


def held(pool: RecentFirst, count: int) -> tuple[list[Future[int]], threading.Event]:
    """`count` calls that have begun, in threads of their own, and end with the event."""
    go, began = threading.Event(), threading.Semaphore(0)

    def hold() -> int:
        began.release()
        assert go.wait(WITHIN_S)
        return threading.get_ident()

    calls = [pool.submit(hold) for _ in range(count)]
    assert all(began.acquire(timeout=WITHIN_S) for _ in range(count))
    return calls, go


def test_calls_one_after_another_stay_in_one_thread() -> None:
    """Bug: each message was written over another connection than the one before it."""
    pool = RecentFirst(4, "test")
    calls, go = held(pool, 4)
    go.set()
    known = {call.result(WITHIN_S) for call in calls}
    assert len(known) == 4
    after = {pool.submit(threading.get_ident).result(WITHIN_S) for _ in range(20)}
    assert after <= known
    assert len(after) == 1


def test_calls_above_the_limit_wait_in_order() -> None:
    """None is lost, none overtakes another."""
    pool = RecentFirst(1, "test")
    _, go = held(pool, 1)
    done: list[int] = []
    waiting = [pool.submit(done.append, number) for number in range(20)]
    assert done == []
    go.set()
    for call in waiting:
        call.result(WITHIN_S)
    assert done == list(range(20))


def test_call_cancelled_before_it_began_is_not_made() -> None:
    """The thread goes on with the next one."""
    pool = RecentFirst(1, "test")
    _, go = held(pool, 1)
    done: list[str] = []
    given_up, other = pool.submit(done.append, "given up"), pool.submit(done.append, "other")
    assert given_up.cancel()
    go.set()
    other.result(WITHIN_S)
    assert done == ["other"]


def test_failed_call_costs_nobody_else_anything() -> None:
    """Its caller gets the exception, the thread its next call."""
    pool = RecentFirst(1, "test")
    with pytest.raises(ZeroDivisionError):
        pool.submit(lambda: 1 // 0).result(WITHIN_S)
    assert pool.submit(lambda: 2).result(WITHIN_S) == 2
