"""Tickets: what is kept of them, who gets it, and what an ending between issue and use does."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.test import AsyncClient
from django.utils import timezone
from pydantic_core import from_json, to_json
from redis import Redis

from chat.models import User
from realtime.database import in_database
from realtime.models import ApiKey, Installation
from realtime.protocol.errors import RateLimited, Unauthorized, Unavailable
from realtime.security import allowance
from realtime.security.admission import (
    Credential,
    Way,
    authenticated_together,
    credential_of_session,
)
from realtime.security.identity import Authenticated, sign_in
from realtime.security.tickets import Redeemed, Tickets, packed, unpacked
from realtime.shared import slips as slips_module
from realtime.shared import store as store_module
from realtime.shared.slips import LocalSlips, SharedSlips, Slips
from realtime.shared.store import SharedStore
from realtime.sockets import newcomers
from status.probes import sockets
from tests.security.conftest import Play
from tests.security.house import House, ticket_for

pytestmark = pytest.mark.django_db(transaction=True)

PATH = "/api/websocket/tickets"


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy machine may answer later than commands wait."""
    monkeypatch.setattr(slips_module, "LIMIT_S", 20.0)
    monkeypatch.setattr(store_module, "BACKGROUND_LIMIT_S", 20.0)  # its sockets' own


@pytest.fixture(autouse=True)
def installation(transactional_db: None) -> None:
    """Its row is gone after a flushed test."""
    Installation.objects.get_or_create(pk=1)


def person(name: str = "ada") -> User:
    user: User = User.objects.create_user(name, first_name=name.title())
    return user


def read_of(credential: Credential) -> Authenticated:
    (found,) = authenticated_together([credential])
    assert isinstance(found, Authenticated), found
    return found


def read_by_key(user: User) -> Authenticated:
    return read_of(Credential(Way.KEY, ApiKey.issue(user.pk, "test")[1]))


def run(story: Callable[[], Awaitable[None]]) -> None:
    async_to_sync(story)()


class Kept(LocalSlips):
    """In memory, and to be looked at."""

    @property
    def values(self) -> dict[str, tuple[bytes, float]]:
        return self._kept


# What is kept


def test_what_is_taken_is_what_was_read() -> None:
    """By key and by session: who, by which credential, until when, as of which position; and the
    credential can be read again."""
    ada = person()
    expiring, text = ApiKey.issue(ada.pk, "ends")
    expiring.expires_at = timezone.now() + timedelta(hours=1)
    expiring.save()
    for credential in (
        Credential(Way.KEY, text),
        Credential(Way.KEY, ApiKey.issue(ada.pk, "endless")[1]),
        credential_of_session(sign_in(ada, 3600)[0]),
    ):
        read = read_of(credential)
        found, age_s = unpacked(packed(read))
        one, other = found.identity, read.identity
        assert (one.user_id, one.name, one.credential) == (ada.pk, "Ada", other.credential)
        assert one.expires_at == other.expires_at
        assert (found.at, found.stream) == (read.at, read.stream)
        assert 0 <= age_s < 60
        assert one.kept() is one
        assert one.user.restored() == ada
        assert one.user.restored().is_staff is False
        assert one.again().credential == other.credential


def test_store_holds_nothing_that_can_be_used() -> None:
    """Neither the ticket nor the session; and what somebody writes there is no identity."""
    ada, eve = person(), person("eve")
    key, _ = sign_in(ada, 3600)
    mine, hers = read_of(credential_of_session(key)), read_by_key(eve)

    async def story() -> None:
        kept = Kept()
        tickets = Tickets(kept)
        ticket = await tickets.issue(mine)
        ((name, (value, until)),) = kept.values.items()
        for secret in (ticket, key, mine.identity.credential, ada.username):
            assert secret.encode() not in name.encode() + value
        await kept.take([name])

        other = await tickets.issue(hers)
        ((_, (foreign, _)),) = kept.values.items()
        for forged in (foreign, value[:-1], bytes(len(value)), b"", packed(mine)):
            kept.values[name] = (forged, until)
            with pytest.raises(Unauthorized):
                await tickets.take(ticket)
        assert (await tickets.take(other)).authenticated.identity.user_id == eve.pk

    run(story)


def test_ticket_of_an_expired_credential_or_another_version_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The session may end within the ticket's life; a node may know another user model."""
    read = read_of(credential_of_session(sign_in(person(), 3600)[0]))
    past = timezone.now() - timedelta(seconds=1)
    with pytest.raises(Unauthorized, match="expired"):
        unpacked(packed(replace(read, identity=replace(read.identity, expires_at=past))))
    content = packed(read).replace(b'"is_staff"', b'"is_other"')
    with pytest.raises(Unauthorized, match="version"):
        unpacked(content)


@pytest.mark.parametrize(
    "change",
    [
        lambda found: {},
        lambda found: [found],
        lambda found: None,
        lambda found: {name: value for name, value in found.items() if name != "way"},
        lambda found: {**found, "way": "passkey"},
        lambda found: {**found, "stream": [*found["stream"], 1]},
        lambda found: {**found, "stream": None},
        lambda found: {**found, "user": 7},
        lambda found: {**found, "user": {**found["user"], "id": "seven"}},
        lambda found: {**found, "expires_at": 1700000000},
        lambda found: {**found, "expires_at": "soon"},
        lambda found: {**found, "read_before_s": None},
    ],
)
def test_ticket_of_another_version_is_refused_however_that_one_packs(
    change: Callable[[Any], Any],
) -> None:
    """Regression: while nodes of two versions ran side by side, the handshake met a KeyError or a
    TypeError (4500, a fault of ours) where the client has only to get another ticket."""
    read = read_of(credential_of_session(sign_in(person(), 3600)[0]))
    with pytest.raises(Unauthorized, match="version"):
        unpacked(to_json(change(from_json(packed(read)))))


# Who gets it


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


# How many


def test_tickets_of_an_account_are_bounded(
    settings: Any, monkeypatch: pytest.MonkeyPatch, patient: None
) -> None:
    """Whoever asks for more waits until the window ends; others are not kept from theirs."""
    settings.PM = settings.PM.model_copy(update={"websocket_ticket_limit": 2})
    ada, bob = read_by_key(person()), read_by_key(person("bob"))
    now = time.monotonic()
    monkeypatch.setattr(allowance, "time", SimpleNamespace(monotonic=lambda: now))

    async def story() -> None:
        nonlocal now
        tickets = Tickets(LocalSlips())
        for _ in range(2):
            await tickets.issue(ada)
            now += 10
        with pytest.raises(RateLimited) as caught:
            await tickets.issue(ada)
        assert caught.value.retry_after_ms == pytest.approx(10_000, abs=1)
        await tickets.issue(bob)
        now += 10
        for _ in range(2):
            await tickets.issue(ada)
        with pytest.raises(RateLimited):
            await tickets.issue(ada)

    run(story)


def test_only_so_many_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is out of date is forgotten, and of too many the oldest."""
    monkeypatch.setattr(allowance, "MOST_COUNTED", 3)
    counted = allowance.Allowance(3600.0)
    assert [counted.use(who, 1) for who in range(5)] == [0] * 5
    assert counted.use(4, 1) > 3_500_000
    assert counted.use(0, 1) == 0  # forgotten, not forgiven
    short = allowance.Allowance(0.0)
    assert [short.use("ada", 1) for _ in range(3)] == [0, 0, 0]


# The store away


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


# Endings between issue and use


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


# Those who have still to say who they are


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
