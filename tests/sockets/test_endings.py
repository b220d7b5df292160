"""Rights and credentials that end while a socket is open."""

import time
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest

from tests.nodes.backstage import Backstage
from tests.nodes.client import Client
from tests.nodes.server import Server
from tests.sockets.conftest import Join, Person, Team

SOON_S = 8.0  # by hint at once; by the position check at the latest


def joined_by_session(join: Join, backstage: Backstage, person: Person) -> tuple[Client, str]:
    """A client signed in by a session, and the session's token."""
    token = backstage("session", user=person.id)["token"]
    return join(person, authorization=f"Bearer {token}"), token


def following(client: Client, team: Team, person: Person) -> Client:
    """The client, following the project, its person's own stream and the system."""
    for stream in (team.stream, person.stream, "system"):
        client.ok("subscribe", stream=stream)
    return client


def assert_revoked(client: Client) -> None:
    """Closed with 4409, with no other frame about it."""
    seen = len(client.frames)
    assert client.closed(SOON_S)[0] == 4409
    told = [frame for frame in client.frames[seen:] if "seq" not in frame]
    assert [frame for frame in told if not frame["type"].startswith("user_")] == []


def test_logout_closes_the_sockets_of_that_session(
    node: Server, nodes: dict[str, Server], join: Join, backstage: Backstage, team: Team
) -> None:
    """On every node; other sessions and API keys of the person stay, and hear of it."""
    client, token = joined_by_session(join, backstage, team.member)
    others = [join(team.member, authorization=f"Bearer {token}", at=at) for at in nodes.values()]
    for one in (client, *others):
        following(one, team, team.member)
    second, _ = joined_by_session(join, backstage, team.member)
    stay = [following(one, team, team.member) for one in (second, join(team.member))]
    answer = node.request("DELETE", "/api/sessions/", authorization=f"Bearer {token}")
    assert answer.status_code == 204
    for one in (client, *others):
        assert_revoked(one)
    for one in stay:
        told = one.wait_for("system_notification")
        assert told["stream"] == team.member.stream
        assert token not in str(told)
        one.ok("send_message", stream=team.stream, body="here", client_ref=str(id(one)))
    with Client(f"{node.ws}/ws", authorization=f"Bearer {token}") as again:
        assert again.closed()[0] == 4401


@pytest.mark.parametrize("deed", ["revoke_key", "delete_key"])
def test_ended_key_closes_its_sockets_only(
    join: Join, backstage: Backstage, team: Team, deed: str
) -> None:
    """Another key of the same person and their sessions stay."""
    text = backstage("key", user=team.member.id)
    client = following(join(team.member, authorization=f"Api-Key {text}"), team, team.member)
    bare = join(team.member, authorization=f"Api-Key {text}")
    session, _ = joined_by_session(join, backstage, team.member)
    other = following(join(team.member), team, team.member)
    backstage(deed, text=text)
    assert_revoked(client)
    assert_revoked(bare)
    other.wait_for("system_notification")
    for one in (other, session):
        one.flushed()


@pytest.mark.parametrize("deed", ["change_password", "deactivate"])
def test_end_of_the_account_closes_every_socket(
    nodes: dict[str, Server], join: Join, backstage: Backstage, team: Team, deed: str
) -> None:
    """Whatever it was opened with and wherever it is; other people's stay."""
    clients = [join(team.member, at=at) for at in nodes.values()]
    clients += [joined_by_session(join, backstage, team.member)[0]]
    clients += [following(join(team.member), team, team.member)]
    other = following(join(team.owner), team, team.owner)
    backstage(deed, user=team.member.id)
    for client in clients:
        assert_revoked(client)
    other.flushed()


def test_removed_member_gets_nothing_more(
    nodes: dict[str, Server], join: Join, backstage: Backstage, team: Team
) -> None:
    """`project_left` without seq, in place of the event, and nothing after it; the socket stays."""
    clients = [following(join(team.member, at=at), team, team.member) for at in nodes.values()]
    others = [following(join(team.owner, at=at), team, team.owner) for at in nodes.values()]
    head = backstage("head", stream=team.stream)
    backstage("remove_and_post", project=team.project, user=team.member.id, author=team.owner.id)
    for other in others:
        assert other.wait_for_seq(team.stream, head + 1)["type"] == "project_left"
        other.wait_for_seq(team.stream, head + 2)
        other.ok("typing", stream=team.stream, on=True)
    for client in clients:
        ending = client.wait_for(
            lambda frame: frame.get("stream") == team.stream and frame["type"] == "project_left"
        )
        assert set(ending) == {"type", "stream", "ts", "data"}
        assert ending["data"] == {"reason": "removed"}
        told = client.wait_for(
            lambda frame: frame.get("stream") == team.member.stream and "seq" in frame
        )
        assert told["type"] == "project_left"
        client.flushed()
        after = client.frames[client.frames.index(ending) + 1 :]
        assert [frame for frame in after if frame.get("stream") == team.stream] == []
        assert client.seqs(team.stream) == []
        for cmd, fields in (("ack", {"cursors": {team.stream: 1}}),):
            assert client.error(cmd, **fields)["code"] == "not_subscribed"


def test_removed_member_cannot_resume(join: Join, backstage: Backstage, team: Team) -> None:
    """By no position and no other way; whoever comes back may, and sees what they missed."""
    client = join(team.member)
    start = client.ok("subscribe", stream=team.stream)
    since = {"epoch": start["epoch"], "seq": start["head"]}
    client.ok("unsubscribe", stream=team.stream)
    backstage("remove", project=team.project, user=team.member.id)
    for fields in ({"since": since}, {"since": {**since, "seq": 0}}, {"snapshot": True}, {}):
        assert client.error("subscribe", stream=team.stream, **fields)["code"] == "forbidden"
    assert client.error("history", stream=team.stream)["code"] == "forbidden"
    path = f"/ws/projects/{team.project}?since={start['epoch']}:{start['head']}"
    assert join(team.member, path).closed()[0] == 4403
    backstage("join", project=team.project, user=team.member.id)
    data = client.ok("subscribe", stream=team.stream, since=since)
    assert data["recovered"] is True
    client.wait_for_seq(team.stream, data["head"])
    types = [event["type"] for event in client.events(team.stream)]
    assert types == ["project_left", "project_joined"]


def test_removed_in_the_middle_of_a_replay(join: Join, backstage: Backstage, team: Team) -> None:
    """What was committed before the removal may still come, nothing after it."""
    head = backstage("post", project=team.project, author=team.owner.id, count=1500)
    client = join(team.member)
    epoch = client.ok("subscribe", stream=team.stream)["epoch"]
    client.ok("subscribe", stream=team.stream, since={"epoch": epoch, "seq": 0})
    backstage("remove_and_post", project=team.project, user=team.member.id, author=team.owner.id)
    ending = client.wait_for("project_left", 20.0)
    assert "seq" not in ending
    client.flushed()
    seqs = client.seqs(team.stream)
    assert seqs == list(range(1, head + 1))


def test_end_of_the_project_ends_its_subscriptions(
    join: Join, backstage: Backstage, team: Team
) -> None:
    """Everyone gets `project_left` with the reason, and the ending again in their own stream."""
    clients = [following(join(one), team, one) for one in (team.owner, team.member, team.viewer)]
    backstage("delete_project", project=team.project)
    for client in clients:
        ending = client.wait_for(
            lambda frame: frame.get("type") == "project_left" and "seq" not in frame, SOON_S
        )
        assert (ending["stream"], ending["data"]) == (team.stream, {"reason": "deleted"})
        told = client.wait_for("project_deleted", SOON_S)
        assert told["stream"].startswith("user.")
        assert client.error("subscribe", stream=team.stream)["code"] == "forbidden"
        fields = {"stream": team.stream, "body": "x", "client_ref": "x"}
        assert client.error("send_message", **fields)["code"] == "not_found"


def test_session_that_expires_ends_its_sockets(
    join: Join, backstage: Backstage, person: Callable[..., Person]
) -> None:
    """4401: get new credentials. The greeting said when."""
    ada = person()
    session = backstage("session", user=ada.id, age_s=1.5)
    client = join(ada, authorization=f"Bearer {session['token']}")
    assert client.frames[0]["data"]["expires_at"] is not None
    assert client.closed()[0] == 4401
    ended = datetime.fromisoformat(session["expires_at"]).timestamp()
    assert 0 <= time.time() - ended < 5


def test_refresh_extends_without_dropping(join: Join, backstage: Backstage, team: Team) -> None:
    """By a newer session or a key of the same person; nothing of the subscriptions is lost."""
    short = backstage("session", user=team.member.id, age_s=2)
    client = join(team.member, authorization=f"Bearer {short['token']}")
    client.ok("subscribe", stream=team.stream)
    long = backstage("session", user=team.member.id, age_s=1000)
    told = client.ok("refresh", token=long["token"])
    assert set(told) == {"expires_at"}
    difference = datetime.fromisoformat(told["expires_at"]) - datetime.fromisoformat(
        long["expires_at"]
    )
    assert abs(difference.total_seconds()) < 0.01
    ended = datetime.fromisoformat(short["expires_at"]).timestamp()
    while time.time() < ended + 2:  # two sweeps later
        seen = len(client.heartbeats)
        while len(client.heartbeats) == seen:
            client.receive()
    head = backstage("post", project=team.project, author=team.owner.id, count=1)
    client.wait_for_seq(team.stream, head)
    assert client.ok("refresh", token=team.member.key) == {"expires_at": None}


def test_refresh_with_wrong_credentials_changes_nothing(
    join: Join, backstage: Backstage, team: Team
) -> None:
    """Unknown, ended, another person's: an error, and the socket goes on with what it had."""
    client = join(team.member)
    past = backstage("session", user=team.member.id, age_s=-5)["token"]
    for token in ("", "x", "pm_x", past, "\u0000", "x" * 10_000):
        assert client.error("refresh", token=token)["code"] == "unauthorized", token[:20]
    foreign = backstage("session", user=team.owner.id)["token"]
    for token in (foreign, team.owner.key):
        assert client.error("refresh", token=token)["code"] == "forbidden"
    client.ok("subscribe", stream=team.stream)


def test_refreshed_socket_ends_with_its_new_credential(
    node: Server, join: Join, backstage: Backstage, person: Callable[..., Person]
) -> None:
    """The end of the old one no longer concerns it, the end of the new one does."""
    ada = person()
    client, old = joined_by_session(join, backstage, ada)
    new = backstage("session", user=ada.id)["token"]
    client.ok("refresh", token=new)
    client.ok("subscribe", stream=ada.stream)
    requests: list[Any] = []
    requests.append(node.request("DELETE", "/api/sessions/", authorization=f"Bearer {old}"))
    client.wait_for("system_notification")
    client.flushed()
    requests.append(node.request("DELETE", "/api/sessions/", authorization=f"Bearer {new}"))
    assert_revoked(client)
    assert [one.status_code for one in requests] == [204, 204]


def test_operator_who_leaves_the_group_is_shown_nothing_more(
    join: Join, backstage: Backstage, person: Callable[..., Person]
) -> None:
    """The right came by a group, and its end was noticed at the next subscribe only. Other
    subscriptions of the socket, and other operators, go on."""
    ada, olga = person(), person(staff=True)
    group = backstage("grant_by_group", user=ada.id, permission="status.view_status")
    client, other = join(ada), join(olga)
    for one in (client, other):
        one.ok("subscribe", stream="status")
        one.ok("subscribe", stream="system")
    backstage("leave_group", user=ada.id, group=group)
    ending = client.wait_for("project_left", SOON_S)
    assert (ending["stream"], ending["data"]) == ("status", {"reason": "removed"})
    assert "seq" not in ending
    told = other.wait_for("system_notification", SOON_S)
    assert (told["stream"], told["data"]["kind"]) == ("status", "right_ended")
    client.flushed()
    assert client.seqs("status") == []
    assert client.error("subscribe", stream="status")["code"] == "forbidden"
    client.ok("unsubscribe", stream="system")
