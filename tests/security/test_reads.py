"""What it costs the database to let sockets in: counted in the process that serves them."""

import asyncio
from collections import Counter
from functools import partial

import pytest

from chat.actions.projects import create_project, set_member
from chat.models import Message, Project, User
from realtime.database import in_database
from realtime.log.reading import stream_state
from realtime.models import ApiKey
from realtime.security.identity import sign_in
from realtime.sockets import handshake
from tests.security.conftest import Play
from tests.security.house import House, Visit, ticket_for

pytestmark = pytest.mark.django_db(transaction=True)

MISSED = 200


def person(name: str) -> User:
    user: User = User.objects.create_user(name)
    return user


def key_of(user: User) -> str:
    return f"Api-Key {ApiKey.issue(user.pk, 'test')[1]}"


def post(project: Project, author: User, count: int) -> None:
    first = project.sessions.order_by("pk")[0]
    Message.objects.bulk_create(
        Message(project=project, session=first, author=author, body=f"message {number}")
        for number in range(count)
    )


@pytest.mark.parametrize("way", ["key", "cookie"])
def test_cold_connect_costs_one_read(staged: Play, way: str) -> None:
    """Of the credentials, together with the row that opens the person's own stream."""
    ada = person("ada")
    headers = (
        {"authorization": key_of(ada)}
        if way == "key"
        else {"cookie": f"sessionid={sign_in(ada, 3600)[0]}"}
    )

    async def story(house: House) -> None:
        house.calls.clear()
        visit = await house.come(**headers).greeted()
        assert visit.frames[0]["data"]["user"]["id"] == ada.pk
        await visit.ok("ping")
        assert house.calls == ["authenticated_together"]

    staged(story)


def test_two_hundred_at_once_share_a_few_reads(staged: Play) -> None:
    """Half by cookie, half by key; with the look at what they opened a moment later."""
    people = [person(f"person{number}") for number in range(200)]
    headers = [
        {"authorization": key_of(one)}
        if number % 2
        else {"cookie": f"sessionid={sign_in(one, 3600)[0]}"}
        for number, one in enumerate(people)
    ]

    async def story(house: House) -> None:
        house.calls.clear()
        visits = [house.come(**one) for one in headers]
        for visit, one in zip(visits, people, strict=True):
            assert (await visit.greeted()).frames[0]["data"]["user"]["id"] == one.pk
        await asyncio.sleep(0.5)  # the look comes 0.2 s after the first opening
        calls = Counter(house.calls)
        assert calls["authenticated_together"] <= 8
        assert calls.total() < 20, calls

    staged(story)


def test_resume_by_a_fresh_ticket_costs_none(staged: Play, unhurried: None) -> None:
    """The streams are open and all that was missed is in the ring; then nobody asks the database,
    not for the person, not for their rights, not for the events."""
    ada = person("ada")
    project = create_project(ada, name="Apollo")
    key = key_of(ada)
    room, own = f"project.{project.pk}", f"user.{ada.pk}"

    async def story(house: House) -> None:
        first = await house.come(authorization=key).greeted()
        positions = {}
        for stream in (room, own, "system"):
            data = await first.ok("subscribe", stream=stream)
            positions[stream] = {"epoch": data["epoch"], "seq": data["head"]}
        await house.settled(room, own, "system")
        await first.leave()
        await in_database(post, project, ada, MISSED)
        head = positions[room]["seq"] + MISSED
        async with asyncio.timeout(10):
            while house.node.hub.streams[room].last < head:
                await asyncio.sleep(0.01)
        ticket = await ticket_for(house, key)
        house.calls.clear()

        again = await house.come(ticket=ticket).greeted()
        assert again.accepted == "pm.v1"
        for stream, since in positions.items():
            data = await again.ok("subscribe", stream=stream, since=since)
            assert data["recovered"] is True
        seqs = await again.until(lambda: _seqs(again, room, MISSED))
        assert seqs == list(range(positions[room]["seq"] + 1, head + 1))
        assert house.calls == []

    staged(story)


def test_crowd_that_comes_for_a_stream_that_is_not_open_shares_a_read(staged: Play) -> None:
    """Regression: until the first had opened it, each of those who resumed read the database, an
    eighth of what a storm of 5,000 cost. One of them is a stranger, and is told so."""
    ada, eve = person("ada"), person("eve")
    project = create_project(ada, name="Apollo")
    members = [person(f"person{number}") for number in range(30)]
    for one in members:
        set_member(ada, project.pk, user_id=one.pk, role="member")
    room = f"project.{project.pk}"
    row = stream_state(room)
    post(project, ada, MISSED)
    since = {"epoch": row.epoch, "seq": row.head}
    keys = [key_of(one) for one in (eve, *members)]

    async def story(house: House) -> None:
        visits = [await house.come(authorization=key).greeted() for key in keys]
        house.calls.clear()
        for visit in visits:
            visit.say({"id": 1, "cmd": "subscribe", "stream": room, "since": since})
        replies = [await visit.reply(1) for visit in visits]
        assert [reply["ok"] for reply in replies] == [False] + [True] * 30
        assert replies[0]["error"]["code"] == "forbidden"
        for reply, visit in zip(replies[1:], visits[1:], strict=True):
            assert reply["data"]["recovered"] is True
            seqs = await visit.until(partial(_seqs, visit, room, MISSED))
            assert seqs == list(range(row.head + 1, row.head + MISSED + 1))
        assert house.calls.count("_read") == 2, house.calls

    staged(story)


def _seqs(visit: Visit, stream: str, count: int) -> list[int] | None:
    found = [one["seq"] for one in visit.frames if one.get("stream") == stream and "seq" in one]
    return found if len(found) >= count else None


def test_older_tickets_share_a_look(staged: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two hundred whose tickets have lain for a while are let in by a few reads of positions."""
    monkeypatch.setattr(handshake, "FRESH_S", -1.0)
    people = [person(f"person{number}") for number in range(200)]
    keys = [key_of(one) for one in people]

    async def story(house: House) -> None:
        tickets = await asyncio.gather(*(ticket_for(house, key) for key in keys))
        house.calls.clear()
        visits = [house.come(ticket=ticket) for ticket in tickets]
        for visit, one in zip(visits, people, strict=True):
            assert (await visit.greeted()).frames[0]["data"]["user"]["id"] == one.pk
        assert set(house.calls) <= {"_check", "moved_states", "stream_states"}
        assert 0 < len(house.calls) < 20

    staged(story)
