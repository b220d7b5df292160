"""Who gets a ticket: one of those who ask for it at the same time, in any store."""

import asyncio
import time
from dataclasses import replace
from pathlib import Path

import pytest
from redis import Redis

from realtime.protocol.errors import Unauthorized, Unavailable
from realtime.security.tickets import Redeemed, Tickets
from realtime.shared import slips as slips_module
from realtime.shared.slips import LocalSlips, SharedSlips, Slips
from realtime.shared.store import SharedStore
from tests.security.tickets import Kept, person, read_by_key, run

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("installation")]


async def assert_taken_once(first: Slips, second: Slips, *, life_ms: int = 60_000) -> None:
    """A hundred values, each asked for by both at the same time."""
    names = [f"name{number}" for number in range(100)]
    await first.put([(name, name.encode()) for name in names], life_ms)
    taken = await asyncio.gather(
        *(store.take([name]) for name in names for store in (first, second))
    )
    got = [slip.value.decode() for (slip,) in taken if slip is not None]
    assert sorted(got) == sorted(names)
    lefts = [slip.left_ms for (slip,) in taken if slip is not None]
    assert all(0 < left <= life_ms for left in lefts)
    assert await first.take([*names, "unknown"]) == [None] * 101


async def assert_forgotten(slips: Slips) -> None:
    await slips.put([("short", b"x")], 20)
    await slips.put([("gone", b"x"), ("long", b"y")], 20)
    await asyncio.sleep(0.1)
    assert await slips.take(["short", "gone", "long"]) == [None] * 3


def test_two_nodes_that_take_the_same_ticket_at_once(valkey: Path, patient: None) -> None:
    """Exactly one of them gets each, in one shared store; what is too old nobody gets."""

    async def story() -> None:
        stores = [SharedStore(f"unix://{valkey}", "t") for _ in range(2)]
        try:
            await assert_taken_once(*(SharedSlips(store, "ticket") for store in stores))
            await assert_forgotten(SharedSlips(stores[0], "ticket"))
        finally:
            for store in stores:
                await store.close()

    run(story)
    with Redis(unix_socket_path=str(valkey)) as left:
        assert left.dbsize() == 0


def test_tickets_in_memory_are_taken_once_and_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """One process alone has no other store; what is out of date makes room."""
    monkeypatch.setattr(slips_module, "MOST_KEPT", 150)

    async def story() -> None:
        slips = Kept()
        await assert_taken_once(slips, slips)
        await assert_forgotten(slips)
        await slips.put([(str(number), b"") for number in range(150)], 500)
        with pytest.raises(Unavailable) as caught:
            await slips.put([("more", b"")], 500)
        assert caught.value.retry_after_ms
        await asyncio.sleep(0.6)
        await slips.put([("more", b"")], 60_000)
        assert list(slips.values) == ["more"]

    run(story)


def test_sockets_of_one_node_that_come_at_once_with_one_ticket(valkey: Path, patient: None) -> None:
    """Regression: those who asked together were all let in. Others who come meanwhile are not
    kept from theirs."""
    read = read_by_key(person())

    async def story() -> None:
        store = SharedStore(f"unix://{valkey}", "t")
        try:
            for slips in (SharedSlips(store, "ticket"), LocalSlips()):
                tickets = Tickets(slips)
                made = [await tickets.issue(read) for _ in range(3)]
                taken = await asyncio.gather(
                    *(tickets.take(ticket) for ticket in made * 4), return_exceptions=True
                )
                let_in = [number for number, one in enumerate(taken) if isinstance(one, Redeemed)]
                assert sorted(number % 3 for number in let_in) == [0, 1, 2]
                assert sum(isinstance(one, Unauthorized) for one in taken) == 9
        finally:
            await store.close()

    run(story)


def test_ticket_tells_its_age(valkey: Path, patient: None) -> None:
    """By the store's clock and from the reading on, for clocks of nodes may differ by minutes."""
    read = read_by_key(person())

    async def story() -> None:
        store = SharedStore(f"unix://{valkey}", "t")
        try:
            for slips in (SharedSlips(store, "ticket"), LocalSlips()):
                tickets = Tickets(slips)
                earlier = replace(read, read_at=time.monotonic() - 7.0)
                ticket = await tickets.issue(earlier)
                await asyncio.sleep(0.3)
                found, age_s = await tickets.take(ticket)
                assert 7.25 <= age_s < 17
                assert time.monotonic() - found.read_at == pytest.approx(age_s, abs=0.5)
        finally:
            await store.close()

    run(story)
