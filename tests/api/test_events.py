"""The log as JSON: positions, resets, rights, and the long poll."""

import asyncio
import json
from typing import Any

import pytest
from django.db import connections
from django.test import AsyncClient, Client

from chat.actions.messages import delete_message, send_message
from chat.actions.projects import remove_member
from realtime.models import ApiKey, Event, Stream
from realtime.node import stop_node
from tests.api.conftest import ApiClient, Team, assert_problem

# The view reads in threads of its own: what the test wrote must be committed.
pytestmark = pytest.mark.django_db(transaction=True)


def path_of(stream: str) -> str:
    return f"/api/streams/{stream}/events"


def send(team: Team, count: int) -> None:
    for n in range(count):
        send_message(team.member, team.project.pk, body=f"message {n}")


def test_without_since_only_the_head_is_told(team: Team, member: ApiClient) -> None:
    """A client that has no state learns where the log stands, and no more."""
    body = member.get(path_of(team.stream)).json()
    head = Stream.objects.get(name=team.stream).head
    assert body == {"epoch": body["epoch"], "head": head, "events": [], "more": False}
    assert body["epoch"].isalnum()


def test_pages_are_the_stored_frames_in_order(team: Team, member: ApiClient) -> None:
    """From any position to the head: every event once, exactly as it was stored."""
    send(team, 5)
    since = {"epoch": member.get(path_of(team.stream)).json()["epoch"], "seq": 0}
    events: list[Any] = []
    while True:
        position = f"{since['epoch']}:{since['seq']}"
        body = member.get(path_of(team.stream), since=position, limit=3).json()
        assert body["recovered"] is True
        assert len(body["events"]) <= 3
        events += body["events"]
        since["seq"] = events[-1]["seq"]
        if not body["more"]:
            break
    frames = Event.objects.filter(stream__name=team.stream).order_by("seq")
    assert events == [json.loads(bytes(frame)) for frame in frames.values_list("frame", flat=True)]
    assert [event["seq"] for event in events] == list(range(1, body["head"] + 1))
    at_head = member.get(path_of(team.stream), since=f"{since['epoch']}:{body['head']}").json()
    assert at_head["events"] == []
    assert at_head["more"] is False
    assert at_head["recovered"] is True


def test_frames_are_not_decoded(team: Team, member: ApiClient) -> None:
    """The bytes of the row are the bytes of the answer, whatever is in them."""
    send(team, 1)
    event = Event.objects.filter(stream__name=team.stream).latest("seq")
    event.frame = b'{"any" :  "bytes"}'
    event.save()
    epoch = member.get(path_of(team.stream)).json()["epoch"]
    response = member.get(path_of(team.stream), since=f"{epoch}:{event.seq - 1}")
    assert b'"events":[{"any" :  "bytes"}]' in response.content


@pytest.mark.parametrize("kind", ["epoch", "beyond", "trimmed", "emptied", "hole"])
def test_useless_position_gets_the_snapshot(team: Team, member: ApiClient, kind: str) -> None:
    """A foreign epoch, a seq of a lost tail, a trimmed one: 200 with the reason and the state."""
    send(team, 2)
    stream = Stream.objects.get(name=team.stream)
    epoch = member.get(path_of(team.stream)).json()["epoch"]
    if kind == "trimmed":
        Event.objects.filter(stream=stream, seq__lte=2).delete()
        Stream.objects.filter(pk=stream.pk).update(floor=2)
    if kind == "emptied":
        Event.objects.filter(stream=stream).delete()
        Stream.objects.filter(pk=stream.pk).update(floor=stream.head)
    if kind == "hole":
        Event.objects.filter(stream=stream, seq=2).delete()
    since, reason = {
        "epoch": ("other:1", "epoch"),
        "beyond": (f"{epoch}:{stream.head + 1}", "epoch"),
        "trimmed": (f"{epoch}:1", "trimmed"),
        "emptied": (f"{epoch}:{stream.head - 1}", "trimmed"),
        "hole": (f"{epoch}:1", "trimmed"),
    }[kind]
    response = member.get(path_of(team.stream), since=since)
    assert response.status_code == 200
    body = response.json()
    assert body["recovered"] is False
    assert body["reason"] == reason
    assert body["events"] == []
    assert body["more"] is False
    assert [row["body"] for row in body["snapshot"]["messages"]] == ["message 0", "message 1"]
    assert body["snapshot"]["role"] == "member"
    if kind == "trimmed":
        edge = member.get(path_of(team.stream), since=f"{epoch}:2").json()
        assert edge["recovered"] is True
        assert edge["events"][0]["seq"] == 3


def test_unreadable_and_unknown_streams_are_the_same(team: Team, stranger: ApiClient) -> None:
    """Nobody learns which streams exist."""
    names = [
        team.stream,
        "project.999999",
        f"user.{team.owner.pk}",
        "status",
        "project.0",
        "project.99999999999999999999",
        "nonsense",
    ]
    problems = [assert_problem(stranger.get(path_of(name)), 404, "not_found") for name in names]
    assert all(problem == problems[0] for problem in problems)
    assert stranger.get(path_of(f"user.{team.stranger.pk}")).status_code == 200
    assert stranger.get(path_of("system")).status_code == 200


def test_right_to_read_ends_with_membership(team: Team, member: ApiClient) -> None:
    """Also for a position that was fine a moment ago."""
    epoch = member.get(path_of(team.stream)).json()["epoch"]
    remove_member(team.owner, team.project.pk, team.member.pk)
    response = member.get(path_of(team.stream), since=f"{epoch}:1")
    assert_problem(response, 404, "not_found")


@pytest.mark.parametrize(
    "query",
    [
        {"since": "5"},
        {"since": "abc:-1"},
        {"since": "ABC:1"},
        {"since": "abc:99999999999999999999"},
        {"limit": "0"},
        {"limit": "501"},
        {"limit": "x"},
        {"wait": "-1"},
        {"wait": "31"},
        {"wait": "nan"},
        {"wait": "inf"},
    ],
    ids=str,
)
def test_bad_query_is_refused(team: Team, member: ApiClient, query: dict[str, str]) -> None:
    """In the words of every other refusal, with the field's name."""
    body = assert_problem(member.get(path_of(team.stream), **query), 400, "bad_request")
    assert body["detail"].startswith(f"{next(iter(query))}: expected ")
    assert ", got " in body["detail"]


def test_cookie_header_or_nothing(team: Team) -> None:
    """The view authenticates by itself: cookie, key and Bearer work, the rest is 401."""
    client = Client()
    assert_problem(client.get(path_of(team.stream)), 401, "unauthorized")
    client.force_login(team.member)
    assert client.get(path_of(team.stream)).status_code == 200
    client.logout()
    assert_problem(client.get(path_of(team.stream)), 401, "unauthorized")
    wrong = Client(headers={"authorization": "Bearer wrong"})
    response = wrong.get(path_of(team.stream))
    assert_problem(response, 401, "unauthorized")
    assert response["WWW-Authenticate"]


def test_event_stream_and_other_methods_are_refused(team: Team, member: ApiClient) -> None:
    """SSE says that it is not served; a POST says what is."""
    response = member.client.get(path_of(team.stream), headers={"accept": "text/event-stream"})
    body = assert_problem(response, 406, "bad_request")
    assert "not served yet" in body["detail"]
    assert_problem(member.post(path_of(team.stream), {}), 405, "bad_request")


def test_deleted_text_is_gone_from_the_log(team: Team, member: ApiClient) -> None:
    """A replay after the deletion shows seqs without text."""
    sent = send_message(team.member, team.project.pk, body="secret")
    delete_message(team.member, sent.message.pk)
    epoch = member.get(path_of(team.stream)).json()["epoch"]
    response = member.get(path_of(team.stream), since=f"{epoch}:0")
    assert b"secret" not in response.content
    assert [event["type"] for event in response.json()["events"]][-2:] == [
        "new_message",
        "message_deleted",
    ]


def in_thread(function: Any, *args: Any, **kwargs: Any) -> Any:
    """Run a write in a thread, as a request of another person would be."""

    def call() -> Any:
        try:
            return function(*args, **kwargs)
        finally:
            connections.close_all()

    return asyncio.to_thread(call)


@pytest.fixture
def one_process(settings: Any) -> None:
    """The real layer of a single process: the node starts without Redis."""
    settings.CHANNEL_LAYERS = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}


def test_long_poll_ends_with_the_next_event(team: Team, one_process: None) -> None:
    """It is open while nothing happens, and answers when something does, long before its end."""
    head = Stream.objects.get(name=team.stream).head
    key = ApiKey.issue(team.member.pk, "poll")[1]

    async def run() -> tuple[bool, Any]:
        client, headers = AsyncClient(), {"authorization": f"Api-Key {key}"}
        epoch = (await client.get(path_of(team.stream), headers=headers)).json()["epoch"]
        query = {"since": f"{epoch}:{head}", "wait": "25"}
        try:
            poll = asyncio.create_task(client.get(path_of(team.stream), query, headers=headers))
            await asyncio.wait({poll}, timeout=0.5)
            early = poll.done()
            await in_thread(send_message, team.owner, team.project.pk, body="at last")
            async with asyncio.timeout(10):
                return early, (await poll).json()
        finally:
            await stop_node()

    early, body = asyncio.run(run())
    assert not early
    [event] = body["events"]
    assert event["seq"] == head + 1
    assert event["data"]["message"]["body"] == "at last"


def test_long_poll_ends_empty_when_its_time_is_over(team: Team, one_process: None) -> None:
    """The same position again, not the head."""
    head = Stream.objects.get(name=team.stream).head
    key = ApiKey.issue(team.member.pk, "poll")[1]

    async def run() -> Any:
        client, headers = AsyncClient(), {"authorization": f"Api-Key {key}"}
        epoch = (await client.get(path_of(team.stream), headers=headers)).json()["epoch"]
        try:
            query = {"since": f"{epoch}:{head}", "wait": "0.1"}
            return (await client.get(path_of(team.stream), query, headers=headers)).json()
        finally:
            await stop_node()

    body = asyncio.run(run())
    assert body["events"] == []
    assert body["recovered"] is True


def test_long_poll_of_someone_who_is_removed_gets_nothing(team: Team, one_process: None) -> None:
    """Rights are read again after the wait: the removal itself is not told to who was removed."""
    head = Stream.objects.get(name=team.stream).head
    key = ApiKey.issue(team.member.pk, "poll")[1]

    async def run() -> Any:
        client, headers = AsyncClient(), {"authorization": f"Api-Key {key}"}
        epoch = (await client.get(path_of(team.stream), headers=headers)).json()["epoch"]
        query = {"since": f"{epoch}:{head}", "wait": "25"}
        try:
            poll = asyncio.create_task(client.get(path_of(team.stream), query, headers=headers))
            await asyncio.wait({poll}, timeout=0.5)
            await in_thread(remove_member, team.owner, team.project.pk, team.member.pk)
            async with asyncio.timeout(10):
                return await poll
        finally:
            await stop_node()

    assert_problem(asyncio.run(run()), 404, "not_found")
