"""Tickets at the door: the store away, and endings between issue and use."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from django.test import AsyncClient
from django.utils import timezone

from realtime.database import in_database
from realtime.models import ApiKey, Installation
from realtime.security.tickets import Tickets
from realtime.shared.slips import SharedSlips
from realtime.shared.store import SharedStore
from tests.security.conftest import Play
from tests.security.house import House, ticket_for
from tests.security.tickets import person

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("installation")]
PATH = "/api/websocket/tickets"


def test_without_redis_there_are_no_tickets_and_everything_else_goes_on(
    staged: Play, tmp_path: Path
) -> None:
    """503 with Retry-After, 4503 with a delay of its own; by key one comes in as always."""
    _, text = ApiKey.issue(person().pk, "test")
    key = f"Api-Key {text}"

    async def story(house: House) -> None:
        good = await ticket_for(house, key)
        dead = SharedStore(f"unix://{tmp_path}/nobody", "x")
        house.node.tickets = Tickets(SharedSlips(dead, "ticket"))
        try:
            response: Any = await AsyncClient().post(PATH, headers={"authorization": key})
            assert response.status_code == 503
            assert response.json()["code"] == "unavailable"
            assert response.json()["temporary"] is True
            assert int(response["Retry-After"]) >= 1
            visit = house.come(ticket=good)
            assert await visit.closed() == 4503
            late = house.come()
            late.say({"id": 5, "cmd": "authenticate", "ticket": good})
            assert (await late.reply(5))["error"]["code"] == "unavailable"
            assert await late.closed() == 4503
            stays = await house.come(authorization=key).greeted()
            await stays.ok("ping")
        finally:
            await dead.close()

    staged(story)


@pytest.mark.parametrize("open_here", [False, True])
def test_ending_between_issue_and_use_is_found_by_its_position(
    staged: Play, open_here: bool, unhurried: None
) -> None:
    """The key is revoked after the ticket was made. A node where the person's stream is open knows
    it and refuses; another one looks a moment after the greeting, and closes."""
    ada = person()
    row, text = ApiKey.issue(ada.pk, "ends")
    other = f"Api-Key {ApiKey.issue(ada.pk, 'other')[1]}"

    def revoke() -> None:
        row.revoked_at = timezone.now()
        row.save()

    async def story(house: House) -> None:
        tickets = [await ticket_for(house, f"Api-Key {text}") for _ in range(2)]
        if open_here:
            await house.come(authorization=other).greeted()
        await in_database(revoke)
        own = house.node.hub.streams.get(f"user.{ada.pk}")
        if own is not None:
            async with asyncio.timeout(10):
                while own.last < 1:
                    await asyncio.sleep(0.01)
        visit = house.come(ticket=tickets[0])
        assert await visit.closed() == (4401 if open_here else 4409)
        assert bool(visit.frames) is not open_here
        assert await house.come(ticket=tickets[1]).closed() == 4401

    staged(story)


def test_ticket_from_before_a_new_epoch_is_read_again(staged: Play, unhurried: None) -> None:
    """The log lost its tail, and the ending with it, while the ticket lay: seqs say nothing."""
    ada = person()
    row, text = ApiKey.issue(ada.pk, "ends")
    other = f"Api-Key {ApiKey.issue(ada.pk, 'other')[1]}"

    def begin_anew() -> None:
        Installation.objects.update(epoch="another")
        ApiKey.objects.filter(pk=row.pk).delete()

    async def story(house: House) -> None:
        ended, valid = [await ticket_for(house, key) for key in (f"Api-Key {text}", other)]
        await in_database(begin_anew)
        visit = await house.come(ticket=ended).greeted()  # nothing is open, the ticket is fresh
        assert await visit.closed() == 4409
        stays = await house.come(ticket=valid).greeted()
        await stays.ok("ping")

    staged(story)
