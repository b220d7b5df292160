"""Sockets that have still to say who they are."""

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from realtime.models import ApiKey
from realtime.sockets import newcomers
from status.probes import sockets
from tests.security.conftest import Play
from tests.security.house import House, ticket_for
from tests.security.tickets import person

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("installation")]


def test_one_address_does_not_take_all_places_at_the_door(staged: Play, settings: Any) -> None:
    """Regression: 500 silent sockets of anybody kept all others from saying who they are."""
    settings.PM = settings.PM.model_copy(update={"websocket_newcomers_per_address": 2})

    async def story(house: House) -> None:
        first, second = (house.come(address="192.0.2.1") for _ in range(2))
        async with asyncio.timeout(20):
            while len(house.node.newcomers) < 2:
                await asyncio.sleep(0.01)
        assert (await look_at(house))["waiting"] == 2
        assert await house.come(address="192.0.2.1").closed() == 4529
        others = [house.come(address="192.0.2.2"), *(house.come() for _ in range(3))]
        async with asyncio.timeout(20):
            while len(house.node.newcomers) < 6:
                await asyncio.sleep(0.01)
        await first.leave()
        async with asyncio.timeout(20):
            while len(house.node.newcomers) > 5:
                await asyncio.sleep(0.01)
        again = house.come(address="192.0.2.1")
        await again.until(lambda: again.accepted)
        for visit in (second, again, *others):
            await visit.leave()

    staged(story)


async def look_at(house: House) -> Mapping[str, float]:
    """What status finds about the sockets of this node."""
    found = await sockets.probe(house.node)()
    assert found is not None
    return found.values


def test_newcomers_are_few_and_not_for_long(staged: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    """One more is told to come back later, and the room is free again once they have gone."""
    monkeypatch.setattr(newcomers, "AT_ONCE", 2)
    _, text = ApiKey.issue(person().pk, "test")

    async def story(house: House) -> None:
        waiting = [house.come() for _ in range(2)]
        async with asyncio.timeout(10):
            while not house.node.newcomers.full:
                await asyncio.sleep(0.01)
        assert await house.come().closed() == 4503
        ticket = await ticket_for(house, f"Api-Key {text}")
        waiting[0].say({"id": 1, "cmd": "authenticate", "ticket": ticket})
        await waiting[0].greeted()
        assert len(house.node.newcomers) == 1
        third = house.come()
        await third.until(lambda: third.accepted)
        await waiting[1].leave()
        house.node.newcomers.sweep(house.node.loop.time() + newcomers.WITHIN_S + 0.1)
        assert await third.closed() == 4401
        assert len(house.node.newcomers) == 0

    staged(story)
