"""The circuit breaker: closed, open, half-open with exactly one probe, from any thread."""

import asyncio
import threading

import pytest

from realtime.breaker import BreakerOpen, CircuitBreaker, breakers
from realtime.protocol.errors import RealtimeError
from tests.clock import Clock


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def breaker(clock: Clock) -> CircuitBreaker:
    return CircuitBreaker("test", failures=3, wait_s=1.0, max_wait_s=8.0, clock=clock)


def state(breaker: CircuitBreaker) -> str:
    return breaker.state.value


def fail(breaker: CircuitBreaker) -> None:
    with pytest.raises(OSError, match="away"), breaker.guarding(OSError):
        raise OSError("away")


def succeed(breaker: CircuitBreaker) -> None:
    with breaker.guarding(OSError):
        pass


def refused(breaker: CircuitBreaker) -> BreakerOpen:
    with pytest.raises(BreakerOpen) as caught, breaker.guarding(OSError):
        pytest.fail("expected the call not to be made")
    return caught.value


def opened(breaker: CircuitBreaker) -> None:
    for _ in range(3):
        fail(breaker)
    assert state(breaker) == "open"


def test_failures_in_a_row_open_it(breaker: CircuitBreaker) -> None:
    """A success in between begins the count anew; an open one makes no call."""
    fail(breaker)
    fail(breaker)
    succeed(breaker)
    fail(breaker)
    fail(breaker)
    assert state(breaker) == "closed"
    fail(breaker)
    error = refused(breaker)
    assert isinstance(error, RealtimeError)
    assert error.temporary
    assert error.retry_after_ms is not None
    assert 500 <= error.retry_after_ms <= 1000


def test_other_errors_are_answers(breaker: CircuitBreaker) -> None:
    """The part answered, if not as wished: that is no reason to leave it alone."""
    for _ in range(5):
        with pytest.raises(KeyError), breaker.guarding(OSError):
            raise KeyError("x")
    assert state(breaker) == "closed"


def test_probe_closes_it_or_opens_it_again(breaker: CircuitBreaker, clock: Clock) -> None:
    """Half-open after the wait; one failure is enough to open again, one success to close."""
    opened(breaker)
    clock.now += 1.0
    fail(breaker)
    assert state(breaker) == "open"
    refused(breaker)
    clock.now += 2.0
    succeed(breaker)
    assert state(breaker) == "closed"
    assert [change.value for _, change in breaker.changes] == [
        "open",
        "half_open",
        "open",
        "half_open",
        "closed",
    ]


def test_waits_grow_with_jitter_up_to_the_longest(breaker: CircuitBreaker, clock: Clock) -> None:
    """Each opening in a row waits up to twice as long, at least half of it; a success resets."""
    opened(breaker)
    for longest_s in (1, 2, 4, 8, 8, 8):
        error = refused(breaker)
        assert error.retry_after_ms is not None
        assert longest_s * 500 <= error.retry_after_ms <= longest_s * 1000
        clock.now += longest_s
        fail(breaker)
    clock.now += 8.0
    succeed(breaker)
    opened(breaker)
    error = refused(breaker)
    assert error.retry_after_ms is not None
    assert error.retry_after_ms <= 1000


def test_outage_of_days_does_not_overflow(breaker: CircuitBreaker, clock: Clock) -> None:
    """Bug: the doubled wait became a number that no float holds, after a thousand openings."""
    opened(breaker)
    for _ in range(1100):
        clock.now += 8.0
        fail(breaker)
    assert state(breaker) == "open"


def test_exactly_one_thread_probes(breaker: CircuitBreaker, clock: Clock) -> None:
    """Many come at the moment when the wait is over, and while the probe runs: one gets through."""
    for _ in range(20):
        opened(breaker)
        clock.now += 8.0
        gate, release = threading.Barrier(16), threading.Event()
        admitted: list[int] = []
        turned_away = threading.Semaphore(0)

        def call(
            number: int,
            gate: threading.Barrier = gate,
            admitted: list[int] = admitted,
            release: threading.Event = release,
            turned_away: threading.Semaphore = turned_away,
        ) -> None:
            gate.wait(10)
            try:
                with breaker.guarding(OSError):
                    admitted.append(number)
                    release.wait(10)
            except BreakerOpen:
                turned_away.release()

        threads = [threading.Thread(target=call, args=(number,)) for number in range(16)]
        for thread in threads:
            thread.start()
        for _ in range(15):
            assert turned_away.acquire(timeout=10), "expected fifteen to be turned away"
        assert len(admitted) == 1
        release.set()
        for thread in threads:
            thread.join(10)
        assert state(breaker) == "closed"


def test_cancelled_probe_frees_its_place(breaker: CircuitBreaker, clock: Clock) -> None:
    """Nothing is known of the part then: the next caller asks it, without another wait."""
    opened(breaker)
    clock.now += 1.0

    async def main() -> None:
        async def probe() -> None:
            with breaker.guarding(OSError):
                await asyncio.Event().wait()

        task = asyncio.ensure_future(probe())
        await asyncio.sleep(0)
        assert state(breaker) == "half_open"
        refused(breaker)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(main())
    succeed(breaker)
    assert state(breaker) == "closed"


def test_late_failures_of_old_calls_say_nothing_new(breaker: CircuitBreaker, clock: Clock) -> None:
    """Calls that began before it opened end one after another; the wait must not grow by them."""
    calls = [breaker.guarding(OSError) for _ in range(6)]
    for call in calls:
        call.__enter__()
    for call in calls:
        assert not call.__exit__(OSError, OSError("away"), None)
    error = refused(breaker)
    assert error.retry_after_ms is not None
    assert error.retry_after_ms <= 1000


def test_late_answers_of_old_calls_do_not_end_a_probe(
    breaker: CircuitBreaker, clock: Clock
) -> None:
    """Bug: a call from before the opening that failed during the probe opened it again, and a
    cancelled one let a second probe through."""
    old_failure, old_cancelled = breaker.guarding(OSError), breaker.guarding(OSError)
    old_failure.__enter__()
    old_cancelled.__enter__()
    opened(breaker)
    clock.now += 1.0
    probe = breaker.guarding(OSError)
    probe.__enter__()
    assert not old_cancelled.__exit__(asyncio.CancelledError, asyncio.CancelledError(), None)
    refused(breaker)
    assert not old_failure.__exit__(OSError, OSError("away"), None)
    assert state(breaker) == "half_open"
    probe.__exit__(None, None, None)
    assert state(breaker) == "closed"


def test_breakers_are_found_by_name(breaker: CircuitBreaker) -> None:
    """For status."""
    assert breakers()["test"] is breaker
