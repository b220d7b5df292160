"""Writing by socket: who may, once only, and what others then see."""

import time
from contextlib import ExitStack
from typing import Any

from tests.nodes.backstage import Backstage
from tests.nodes.client import Client
from tests.nodes.server import Server
from tests.sockets.conftest import Join, Person, Team


def reader(join: Join, person: Person, team: Team, **options: Any) -> Client:
    """A client that follows the team's project."""
    client = join(person, **options)
    client.ok("subscribe", stream=team.stream)
    return client


def test_message_reaches_every_member_on_every_node(
    nodes: dict[str, Server], join: Join, team: Team
) -> None:
    """The event holds the message as the reply does, under the seq of the reply; authors too."""
    clients = [
        reader(join, person, team, at=node)
        for person in (team.owner, team.member, team.viewer)
        for node in nodes.values()
    ]
    sent = clients[0].ok(
        "send_message", stream=team.stream, body="Zdravo \u2713 <b>", client_ref="hello"
    )
    assert set(sent) == {"message", "seq"}
    message = sent["message"]
    assert message["author"] == {"id": team.owner.id, "name": "ada"}
    assert (message["body"], message["client_ref"]) == ("Zdravo \u2713 <b>", "hello")
    frames = [client.wait_for_seq(team.stream, sent["seq"]) for client in clients]
    assert all(frame == frames[0] for frame in frames)
    assert set(frames[0]) == {"type", "stream", "seq", "id", "ts", "data"}
    assert frames[0]["type"] == "new_message"
    assert frames[0]["data"] == {"message": message}
    for client in clients:
        client.flushed()
        assert client.seqs(team.stream) == [sent["seq"]]


def test_client_ref_takes_effect_once(join: Join, backstage: Backstage, team: Team) -> None:
    """Again, from another tab, after an edit: the message as it is now and the same seq."""
    client, other = join(team.member), join(team.member)
    fields = {"stream": team.stream, "body": "once", "client_ref": "r-1"}
    first = client.ok("send_message", **fields)
    assert other.ok("send_message", **fields) == first
    edited = client.ok("edit_message", message=first["message"]["id"], body="twice")
    again = client.ok("send_message", **fields)
    assert again["seq"] == first["seq"]
    assert again["message"] == edited["message"]
    assert again["message"]["body"] == "twice"
    started = [client.start("send_message", **{**fields, "client_ref": "r-2"}) for _ in range(5)]
    replies = [client.reply(number)["data"] for number in started]
    assert all(reply == replies[0] for reply in replies)
    assert backstage("count_messages", project=team.project) == 2


def test_client_ref_of_another_write_is_a_conflict(
    join: Join, backstage: Backstage, team: Team
) -> None:
    """Another body, stream, reply or command; each author has references of their own."""
    second = backstage("team")
    backstage("join", project=second["project"], user=team.member.id)
    client = join(team.member)
    fields = {"stream": team.stream, "body": "one", "client_ref": "ref"}
    message = client.ok("send_message", **fields)["message"]["id"]
    for changed in (
        {"body": "two"},
        {"stream": f"project.{second['project']}"},
        {"reply_to": message},
    ):
        error = client.error("send_message", **{**fields, **changed})
        assert error["code"] == "conflict", changed
        assert not error["temporary"]
    edit = {"message": message, "body": "one", "client_ref": "ref"}
    assert client.error("edit_message", **edit)["code"] == "conflict"
    deletion = {"message": message, "client_ref": "ref"}
    assert client.error("delete_message", **deletion)["code"] == "conflict"
    assert join(team.owner).ok("send_message", **fields)["message"]["id"] != message
    assert backstage("count_messages", project=second["project"]) == 0


def test_edit_and_delete_repeat_by_client_ref(join: Join, backstage: Backstage, team: Team) -> None:
    """They too take effect once, and say where."""
    client = join(team.member)
    sent = client.ok("send_message", stream=team.stream, body="one", client_ref="a")
    message = sent["message"]["id"]
    edit = {"message": message, "body": "two", "client_ref": "b"}
    assert client.ok("edit_message", **edit) == client.ok("edit_message", **edit)
    deletion = {"message": message, "client_ref": "c"}
    first = client.ok("delete_message", **deletion)
    assert client.ok("delete_message", **deletion) == first
    assert (first["message"]["deleted"], first["message"]["body"]) == (True, "")
    assert client.ok("edit_message", **edit)["message"] == first["message"]
    assert backstage("head", stream=team.stream) == sent["seq"] + 2


def test_viewers_and_strangers_write_nothing(join: Join, backstage: Backstage, team: Team) -> None:
    """A viewer is forbidden; to a stranger the project does not exist."""
    message = join(team.member).ok("send_message", stream=team.stream, body="mine", client_ref="a")[
        "message"
    ]["id"]
    head = backstage("head", stream=team.stream)
    for person, code in ((team.viewer, "forbidden"), (team.stranger, "not_found")):
        client = join(person)
        fields = {"stream": team.stream, "body": "x", "client_ref": "x"}
        assert client.error("send_message", **fields)["code"] == code
        assert client.error("edit_message", message=message, body="x")["code"] == code
        assert client.error("delete_message", message=message)["code"] == code
    assert backstage("head", stream=team.stream) == head


def test_role_counts_as_it_is_now(join: Join, backstage: Backstage, team: Team) -> None:
    """A socket remembers no role: whoever joins later writes at once."""
    client = join(team.stranger)
    fields = {"stream": team.stream, "body": "x", "client_ref": "x"}
    assert client.error("send_message", **fields)["code"] == "not_found"
    backstage("join", project=team.project, user=team.stranger.id)
    client.ok("send_message", **fields)


def test_messages_are_changed_by_whom_they_belong_to(join: Join, team: Team) -> None:
    """Authors edit and delete their own; an owner deletes any and edits none."""
    member, owner = join(team.member), join(team.owner)
    sent = {"stream": team.stream, "body": "x"}
    mine = member.ok("send_message", **sent, client_ref="1")["message"]["id"]
    hers = owner.ok("send_message", **sent, client_ref="2")["message"]["id"]
    assert member.error("edit_message", message=hers, body="y")["code"] == "forbidden"
    assert member.error("delete_message", message=hers)["code"] == "forbidden"
    assert owner.error("edit_message", message=mine, body="y")["code"] == "forbidden"
    assert member.ok("edit_message", message=mine, body="y")["message"]["body"] == "y"
    assert owner.ok("delete_message", message=mine)["message"]["deleted"] is True
    assert member.error("edit_message", message=mine, body="z")["code"] == "conflict"
    fields = {**sent, "client_ref": "3", "reply_to": hers}
    assert member.ok("send_message", **fields)["message"]["reply_to"] == hers


def test_deleted_message_is_blank_everywhere(
    nodes: dict[str, Server], join: Join, team: Team
) -> None:
    """Its text goes from history, replay and snapshot of every node; the seqs stay."""
    watchers = [reader(join, team.viewer, team, at=node) for node in nodes.values()]
    client = reader(join, team.member, team)
    start = client.ok("subscribe", stream=team.stream)
    secret = "correct horse battery"
    sent = client.ok("send_message", stream=team.stream, body=secret, client_ref="a")
    message = sent["message"]["id"]
    client.ok("edit_message", message=message, body=f"{secret} staple")
    deleted = client.ok("delete_message", message=message)
    last = deleted["seq"]
    assert secret not in str(deleted)
    for watcher in watchers:
        frame = watcher.wait_for_seq(team.stream, last)
        assert frame["type"] == "message_deleted"
        assert frame["data"]["message"] == message
        since = {"epoch": start["epoch"], "seq": start["head"]}
        seen = len(watcher.frames)
        data = watcher.ok("subscribe", stream=team.stream, since=since)
        assert (data["recovered"], data["replay"]) == (True, 3)
        watcher.wait_for(lambda frame: frame.get("seq") == last, after=seen)
        history = watcher.ok("history", stream=team.stream)["events"]
        snapshot = watcher.ok("subscribe", stream=team.stream, snapshot=True)["snapshot"]
        assert secret not in str([watcher.frames[seen:], history, snapshot])
        types = [event["type"] for event in watcher.events(team.stream, after=seen)]
        assert types == ["new_message", "message_updated", "message_deleted"]
        assert watcher.events(team.stream, after=seen) == history[-3:]
        blanked = history[-3]["data"]["message"]
        assert (blanked["id"], blanked["body"], blanked["deleted"]) == (message, "", True)


def test_read_marks_are_gathered(join: Join, backstage: Backstage, team: Team) -> None:
    """One event for many marks of many people; never beyond what was sent, never back."""
    client, other = reader(join, team.member, team), reader(join, team.viewer, team)
    head = backstage("post", project=team.project, author=team.owner.id, count=5)
    for one in (client, other):
        one.wait_for_seq(team.stream, head)
    for seq in (*range(head - 4, head + 1), 10**6, head - 3):
        client.ok("mark_read", stream=team.stream, seq=seq)
    reads: dict[str, int] = {}
    count = 0
    while reads.get(str(team.member.id), 0) < head:
        seen = len(other.frames)
        event = other.wait_for("message_read", after=seen)
        reads |= event["data"]["reads"]
        count += 1
    assert reads == {str(team.member.id): head}
    assert count <= 2  # the marks may fall on both sides of a sweep
    other.ok("mark_read", stream=team.stream, seq=head - 1)
    client.ok("mark_read", stream=team.stream, seq=1)
    wanted = {str(team.viewer.id): head - 1}
    other.wait_for(lambda frame: frame.get("data", {}).get("reads") == wanted)
    snapshot = client.ok("subscribe", stream=team.stream, snapshot=True)["snapshot"]
    assert snapshot["reads"] == {**reads, **wanted}


def test_marks_and_typing_need_a_subscription(join: Join, team: Team) -> None:
    """They are about what this socket was sent."""
    client = join(team.member)
    for cmd, fields in (("mark_read", {"seq": 1}), ("typing", {"on": True})):
        assert client.error(cmd, stream=team.stream, **fields)["code"] == "not_subscribed"


def test_typing_is_told_and_stops_with_the_message(
    nodes: dict[str, Server], join: Join, backstage: Backstage, team: Team
) -> None:
    """A signal without seq and id, on every node; sending the text is a stop as well."""
    watchers = [reader(join, team.owner, team, at=node) for node in nodes.values()]
    client = reader(join, team.member, team)
    head = backstage("head", stream=team.stream)
    stops: tuple[tuple[str, dict[str, Any]], ...] = (
        ("typing", {"on": False}),
        ("send_message", {"body": "x", "client_ref": "x"}),
    )
    for stop, fields in stops:
        seen = {watcher: len(watcher.frames) for watcher in watchers}
        client.ok("typing", stream=team.stream, on=True)
        for watcher in watchers:
            frame = watcher.wait_for("typing_indicator", after=seen[watcher])
            assert set(frame) == {"type", "stream", "ts", "data"}
            assert frame["data"] == {"user": {"id": team.member.id, "name": "bob"}}
        client.ok(stop, stream=team.stream, **fields)
        for watcher in watchers:
            frame = watcher.wait_for("typing_stop", after=seen[watcher])
            assert frame["data"]["user"]["id"] == team.member.id
    assert backstage("head", stream=team.stream) == head + 1


def test_typing_expires_by_itself(nodes: dict[str, Server], stack: ExitStack, team: Team) -> None:
    """Six seconds after the last start, also when the typist's socket is gone. Slow, so only once:
    typed on one node, seen on the other."""
    watcher, client = (
        stack.enter_context(
            Client(nodes[name].ws + "/ws", authorization=person.authorization)
        ).greeted()
        for name, person in (("daphne", team.owner), ("uvicorn", team.member))
    )
    for one in (watcher, client):
        one.ok("subscribe", stream=team.stream)
    started = time.monotonic()
    client.ok("typing", stream=team.stream, on=True)
    client.socket.close()
    watcher.wait_for("typing_indicator")
    watcher.wait_for("typing_stop", 9.0)
    assert 5.5 < time.monotonic() - started < 8.5


def test_two_sockets_of_one_person_are_two(join: Join, team: Team) -> None:
    """Each has subscriptions and replies of its own, and both see what either writes."""
    one, two = reader(join, team.member, team), reader(join, team.member, team)
    sent = one.ok("send_message", stream=team.stream, body="x", client_ref="x")
    for client in (one, two):
        client.wait_for_seq(team.stream, sent["seq"])
    two.ok("unsubscribe", stream=team.stream)
    seen = len(two.frames)
    sent = two.ok("send_message", stream=team.stream, body="y", client_ref="y")
    one.wait_for_seq(team.stream, sent["seq"])
    two.flushed()
    assert two.events(team.stream, after=seen) == []
