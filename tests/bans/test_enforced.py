"""At the door and on open sockets: refused, closed, recorded; no read more for anybody else."""

import asyncio
from typing import Any

import pytest
from asgiref.sync import async_to_sync, sync_to_async

from chat.models import User
from realtime.audit.gathering import flush
from realtime.bans import networks
from realtime.bans.door import guarded
from realtime.bans.imposing import ban_network, ban_person, lift_ban
from realtime.fleet import asking
from realtime.models import ApiKey, AuditEntry
from tests.security.conftest import Play
from tests.security.house import WITHIN_S, House, Visit, ticket_for

FAR = "203.0.113.9"
on_thread = sync_to_async


def entries() -> list[tuple[Any, ...]]:
    rows = AuditEntry.objects.filter(action="connection_refused").order_by("seq")
    return list(rows.values_list("actor", "target", "result", "address"))


def from_afar(house: House, key: str) -> Visit:
    visit = house.come(authorization=f"Api-Key {key}")
    visit._scope["client"] = (FAR, 4242)
    return visit


def test_banned_person_is_closed_and_refused(staged: Play, root: User, ada: User) -> None:
    """4403 with every credential; whoever else is there stays; lifted, the key serves again."""
    _, key = ApiKey.issue(ada.pk, "one")
    _, other = ApiKey.issue(root.pk, "other")

    async def story(house: House) -> None:
        open_one = await house.come(authorization=f"Api-Key {key}").greeted()
        bystander = await house.come(authorization=f"Api-Key {other}").greeted()
        ticket = await ticket_for(house, f"Api-Key {key}")
        ban = await on_thread(ban_person)(root, ada.pk, reason="spam", until=None)
        assert await open_one.closed() == 4403
        assert await house.come(ticket=ticket).closed() == 4403
        assert await from_afar(house, key).closed() == 4403
        assert (await bystander.ok("ping"))["ts"]
        await flush()
        found = await on_thread(entries)()
        assert found[-1] == (ada.pk, "/ws", "4403", FAR)
        await on_thread(lift_ban)(root, ban.pk)
        await from_afar(house, key).greeted()

    staged(story)


def test_banned_address_is_closed_and_refused(staged: Play, root: User, ada: User) -> None:
    """By the hint at once; others are not asked about in the database."""
    _, key = ApiKey.issue(ada.pk, "one")

    async def story(house: House) -> None:
        far = await from_afar(house, key).greeted()
        near = await house.come(authorization=f"Api-Key {key}").greeted()
        ban = await on_thread(ban_network)(
            root, f"{FAR}/24", reason="flood", until=None, own_address=None
        )
        assert await far.closed() == 4403
        assert await from_afar(house, key).closed() == 4403
        await near.ok("ping")
        await flush()
        assert (None, "/ws", "4403", FAR) in await on_thread(entries)()
        house.calls.clear()
        await house.come(authorization=f"Api-Key {key}").greeted()
        assert house.calls.count("stored") <= 1  # the sweep's, if it was due
        await on_thread(lift_ban)(root, ban.pk)
        async with asyncio.timeout(WITHIN_S):
            while networks.table.hold(FAR):
                await asyncio.sleep(0.01)
        await from_afar(house, key).greeted()

    staged(story)


@pytest.mark.django_db(transaction=True)
def test_http_from_a_banned_address_is_answered_403(root: User) -> None:
    """As problem details, before anything else is done; recorded within the bound of refusals."""
    ban_network(root, f"{FAR}/32", reason="flood", until=None, own_address=None)
    reached: list[str] = []

    async def application(scope: Any, receive: Any, send: Any) -> None:
        reached.append(scope["client"][0])

    async def ask(address: str) -> list[dict[str, Any]]:
        sent: list[dict[str, Any]] = []

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        scope = {"type": "http", "path": "/api/me/", "client": (address, 1)}
        await guarded(application)(scope, None, send)
        return sent

    async def story() -> None:
        assert await ask("192.0.2.1") == []
        start, body = await ask(FAR)
        assert start["status"] == 403
        assert (b"content-type", b"application/problem+json") in start["headers"]
        assert b'"forbidden"' in body["body"]
        for _ in range(500):
            await ask(FAR)
        await flush()

    async_to_sync(story)()
    assert reached == ["192.0.2.1"]
    assert entries() == [(None, "/api/me/", "403", FAR)]


def test_question_of_bans_is_answered_by_nodes() -> None:
    """So that a node that has no operator hears of a ban, too."""
    assert asking.ANSWERS["bans"] is asking.bans_changed
    assert networks.EVERY_S <= 5.0  # and one that did not hear of it
