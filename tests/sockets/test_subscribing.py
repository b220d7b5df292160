"""Subscriptions: where they begin, what they replay, and what follows."""

import json
import threading
from contextlib import ExitStack
from typing import Any

import pytest

from tests.nodes.backstage import Backstage
from tests.nodes.client import Client, assert_unbroken
from tests.nodes.server import COMMANDS, Server
from tests.sockets.conftest import Join, Team, post


def position(data: dict[str, Any], seq: int) -> dict[str, Any]:
    return {"epoch": data["epoch"], "seq": seq}


def test_without_position_nothing_is_replayed(join: Join, backstage: Backstage, team: Team) -> None:
    """The reply says where the log stands; live events follow from there."""
    head = post(backstage, team, 3)
    client = join(team.member)
    data = client.ok("subscribe", stream=team.stream)
    assert set(data) == {"stream", "epoch", "head", "presence"}
    assert data["stream"] == team.stream
    assert data["head"] == head
    assert data["epoch"].isalnum()
    assert data["epoch"] == data["epoch"].lower()
    last = post(backstage, team, 2)
    client.wait_for_seq(team.stream, last)
    assert_unbroken(client.seqs(team.stream), head + 1, last)


def test_snapshot_is_the_state_at_head(join: Join, backstage: Backstage, team: Team) -> None:
    """Old snapshot and the events after it are a fresh snapshot."""
    post(backstage, team, 3, body="old")
    client = join(team.member)
    data = client.ok("subscribe", stream=team.stream, snapshot=True)
    assert "recovered" not in data
    old = data["snapshot"]
    assert old["role"] == "member"
    assert [one["body"] for one in old["messages"]] == ["old 0", "old 1", "old 2"]
    assert {one["user"]["id"]: one["role"] for one in old["people"]} == {
        team.owner.id: "owner",
        team.member.id: "member",
        team.viewer.id: "viewer",
    }
    last = post(backstage, team, 3, body="new")
    client.wait_for_seq(team.stream, last)
    assert_unbroken(client.seqs(team.stream), data["head"] + 1, last)
    told = [event["data"]["message"] for event in client.events(team.stream)]
    fresh = client.ok("subscribe", stream=team.stream, snapshot=True)["snapshot"]
    assert fresh == {**old, "messages": old["messages"] + told}


def test_resume_replays_exactly_what_was_missed(
    nodes: dict[str, Server], join: Join, backstage: Backstage, team: Team
) -> None:
    """From any position within the log, on any node; `snapshot` asks for nothing there."""
    head = post(backstage, team, 10)
    for node in nodes.values():
        client = join(team.member, at=node)
        data = client.ok("subscribe", stream=team.stream)
        for seq in (0, 1, head - 3, head - 1, head):
            seen = len(client.frames)
            since = position(data, seq)
            reply = client.ok("subscribe", stream=team.stream, since=since, snapshot=True)
            assert reply == {**data, "recovered": True, "replay": head - seq}
            if seq < head:
                client.wait_for(lambda frame: frame.get("seq") == head, after=seen)
            client.flushed()
            assert_unbroken(client.seqs(team.stream, after=seen + 1), seq + 1, head)


def test_long_replay_while_events_keep_coming(
    join: Join, stack: ExitStack, backstage: Backstage, team: Team
) -> None:
    """1,500 events are several pages; what is written meanwhile follows, once and in order."""
    head = post(backstage, team, 1500)
    client, writer = join(team.viewer), join(team.member)
    stop = threading.Event()
    heads: list[int] = []

    def write() -> None:
        number = 0
        while not stop.is_set() and number < 400:
            number += 1
            fields = {"stream": team.stream, "body": f"live {number}", "client_ref": f"{number}"}
            heads.append(writer.ok("send_message", **fields)["seq"])

    thread = threading.Thread(target=write)
    thread.start()
    stack.callback(thread.join)
    stack.callback(stop.set)
    epoch = client.ok("subscribe", stream=team.stream)["epoch"]
    since = {"epoch": epoch, "seq": 0}
    reply = client.ok("subscribe", stream=team.stream, since=since)
    assert reply["recovered"] is True
    assert reply["replay"] == reply["head"] >= head
    # From its own reply on: the first subscription may have seen the same events before it.
    own = next(n for n, frame in enumerate(client.frames) if frame.get("data") == reply)
    client.wait_for(lambda frame: frame.get("seq") == reply["head"], 20.0, after=own)
    stop.set()
    thread.join()
    client.wait_for(lambda frame: frame.get("seq") == heads[-1], after=own)
    client.flushed()
    assert_unbroken(client.seqs(team.stream, after=own), 1, heads[-1])
    assert heads[-1] > head


def test_lost_positions_are_answered_by_a_snapshot(
    join: Join, backstage: Backstage, team: Team
) -> None:
    """Another epoch, a seq beyond head, a trimmed seq: not recovered, and why."""
    head = post(backstage, team, 6)
    client = join(team.member)
    epoch = client.ok("subscribe", stream=team.stream)["epoch"]
    newest = client.ok("history", stream=team.stream)["events"][-1]["data"]["message"]["id"]
    backstage("trim", stream=team.stream, floor=4)
    for since, reason in (
        ({"epoch": "other", "seq": 1}, "epoch"),
        ({"epoch": epoch, "seq": 10**6}, "epoch"),
        ({"epoch": epoch, "seq": 2**62}, "epoch"),
        ({"epoch": epoch, "seq": 0}, "trimmed"),
        ({"epoch": epoch, "seq": 3}, "trimmed"),
    ):
        seen = len(client.frames)
        data = client.ok("subscribe", stream=team.stream, since=since)
        assert (data["recovered"], data["reason"]) == (False, reason), since
        assert (data["head"], data["epoch"], data["replay"]) == (head, epoch, 0)
        assert data["snapshot"]["messages"][-1]["id"] == newest
        head = post(backstage, team, 1, body="message")
        newest = client.wait_for_seq(team.stream, head)["data"]["message"]["id"]
        client.flushed()
        assert client.seqs(team.stream, after=seen) == [head]
    kept = client.ok("subscribe", stream=team.stream, since={"epoch": epoch, "seq": 4})
    assert (kept["recovered"], kept["replay"]) == (True, head - 4)


def test_new_epoch_resets_the_stream(join: Join, backstage: Backstage, team: Team) -> None:
    """Found by the position check at the latest; the client subscribes again and gets the state."""
    client = join(team.member)
    data = client.ok("subscribe", stream=team.stream)
    backstage("new_epoch", stream=team.stream)
    frame = client.wait_for("stream_reset", 7.0)
    assert frame == {"type": "stream_reset", "stream": team.stream, "reason": "epoch"}
    post(backstage, team)
    client.flushed()
    assert client.frames[-2] == frame, "nothing follows a reset"
    since = position(data, data["head"])
    again = client.ok("subscribe", stream=team.stream, since=since)
    assert (again["recovered"], again["reason"]) == (False, "epoch")
    assert again["epoch"] != data["epoch"]
    last = post(backstage, team)
    client.wait_for_seq(team.stream, last)


def test_subscribing_again_replaces(join: Join, backstage: Backstage, team: Team) -> None:
    """Nothing comes twice, however often; a refused one leaves the old subscription alone."""
    post(backstage, team, 5)
    client = join(team.member)
    data = client.ok("subscribe", stream=team.stream)
    for _ in range(5):
        client.ok("subscribe", stream=team.stream)
    wrong = {"stream": team.stream, "since": {"epoch": "x", "seq": -1}}
    assert client.error("subscribe", **wrong)["code"] == "bad_request"
    last = post(backstage, team, 3)
    client.wait_for_seq(team.stream, last)
    client.flushed()
    assert_unbroken(client.seqs(team.stream), data["head"] + 1, last)


def test_replaced_in_the_middle_of_a_replay(join: Join, backstage: Backstage, team: Team) -> None:
    """Nothing of the old subscription follows the new reply."""
    head = post(backstage, team, 1500)
    client = join(team.member)
    epoch = client.ok("subscribe", stream=team.stream)["epoch"]
    client.start("subscribe", stream=team.stream, since={"epoch": epoch, "seq": 0})
    second = client.start("subscribe", stream=team.stream, since={"epoch": epoch, "seq": head - 2})
    reply = client.reply(second, 20.0)
    assert reply["data"]["replay"] == 2
    seen = client.frames.index(reply)
    client.wait_for(lambda frame: frame.get("seq") == head, after=seen)
    client.flushed()
    assert_unbroken(client.seqs(team.stream, after=seen), head - 1, head)


def test_nothing_follows_the_reply_to_unsubscribe(
    join: Join, backstage: Backstage, team: Team
) -> None:
    """In the middle of a replay as well; the stream may be subscribed anew."""
    head = post(backstage, team, 1500)
    client, control = join(team.member), join(team.viewer)
    control.ok("subscribe", stream=team.stream)
    epoch = client.ok("subscribe", stream=team.stream)["epoch"]
    client.start("subscribe", stream=team.stream, since={"epoch": epoch, "seq": 0})
    reply = client.reply(client.start("unsubscribe", stream=team.stream), 20.0)
    assert reply["data"] == {}
    seen = client.frames.index(reply)
    last = post(backstage, team, 2)
    control.ok("typing", stream=team.stream, on=True)
    control.wait_for_seq(team.stream, last)
    client.flushed()
    assert [frame for frame in client.frames[seen + 1 :] if "stream" in frame] == []
    assert client.error("unsubscribe", stream=team.stream)["code"] == "not_subscribed"
    assert client.ok("subscribe", stream=team.stream)["head"] == last > head


def test_one_socket_follows_several_streams(join: Join, backstage: Backstage, team: Team) -> None:
    """Each in its own order; a long replay of one does not hold up another."""
    other = backstage("team")
    backstage("join", project=other["project"], user=team.member.id)
    quiet = f"project.{other['project']}"
    head = post(backstage, team, 1500)
    client = join(team.member)
    epoch = client.ok("subscribe", stream=team.stream)["epoch"]
    start = client.ok("subscribe", stream=quiet)["head"]
    client.ok("subscribe", stream=team.member.stream)
    client.ok("subscribe", stream="system")
    client.ok("subscribe", stream=team.stream, since={"epoch": epoch, "seq": 0})
    author = other["people"]["ada"]["id"]
    last = backstage("post", project=other["project"], author=author, count=20)
    client.wait_for_seq(quiet, last)
    client.wait_for_seq(team.stream, head, 20.0)
    client.flushed()
    assert_unbroken(client.seqs(quiet), start + 1, last)
    assert_unbroken(client.seqs(team.stream), 1, head)


def test_large_snapshots_are_cut(join: Join, backstage: Backstage, team: Team) -> None:
    """Below 512 KiB, the newest kept, and it says so."""
    post(backstage, team, 60, body="x" * 15_900)
    client = join(team.member)
    snapshot = client.ok("subscribe", stream=team.stream, snapshot=True)["snapshot"]
    assert snapshot["cut"] is True
    assert len(json.dumps(snapshot)) < 600_000
    assert snapshot["messages"][-1]["body"].endswith(" 59")
    assert len(snapshot["people"]) == 3


@pytest.mark.parametrize("kind", sorted(COMMANDS))
def test_all_nodes_show_one_log(
    nodes: dict[str, Server], stack: ExitStack, backstage: Backstage, team: Team, kind: str
) -> None:
    """Written on one node as fast as a socket can, seen on all: every event, in order, once."""
    people = (team.owner, team.member, team.viewer)
    clients = [
        stack.enter_context(Client(node.ws + "/ws", authorization=person.authorization)).greeted()
        for person in people
        for node in nodes.values()
    ]
    (head,) = {client.ok("subscribe", stream=team.stream)["head"] for client in clients}
    writer = stack.enter_context(
        Client(nodes[kind].ws + "/ws", authorization=team.member.authorization)
    ).greeted()
    count = 100
    for number in range(count):
        fields = {"stream": team.stream, "body": str(number), "client_ref": f"w{number}"}
        writer.ok("send_message", **fields)
    for client in clients:
        client.wait_for_seq(team.stream, head + count)
        client.flushed()
        assert_unbroken(client.seqs(team.stream), head + 1, head + count)
