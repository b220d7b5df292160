"""Who has received and who has read a message, from acknowledgements over real sockets."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest

from tests.nodes.backstage import Backstage
from tests.nodes.client import Client
from tests.nodes.server import Server, wait_until
from tests.sockets.conftest import Join, Person, Team

Receipts = Callable[[int], dict[str, list[str]]]


@pytest.fixture
def receipts(node: Server, team: Team) -> Receipts:
    """The names in the answer of the API, asked by the owner."""

    def ask(message: int) -> dict[str, list[str]]:
        path = f"/api/projects/{team.project}/messages/{message}/receipts/"
        answer = node.request("GET", path, authorization=team.owner.authorization)
        assert answer.status_code == 200, answer.text
        found = answer.json()
        assert set(found) == {"received", "read"}
        return {kind: [one["user"]["name"] for one in found[kind]] for kind in found}

    return ask


def follow(join: Join, person: Person, team: Team, **fields: Any) -> tuple[Client, Any]:
    client = join(person)
    return client, client.ok("subscribe", stream=team.stream, **fields)


def say(client: Client, team: Team, body: str) -> tuple[int, int]:
    """The id and the seq of a new message."""
    sent = client.ok("send_message", stream=team.stream, body=body, client_ref=body)
    return sent["message"]["id"], sent["seq"]


def test_acknowledged_is_received_and_marked_is_read(
    join: Join, receipts: Receipts, team: Team
) -> None:
    """Nothing by sending alone; the author is in neither list; reading implies receiving."""
    author, _ = follow(join, team.owner, team)
    bob, _ = follow(join, team.member, team)
    vera, _ = follow(join, team.viewer, team)
    message, seq = say(author, team, "one")
    for client in (bob, vera, author):
        client.wait_for_seq(team.stream, seq)
    assert receipts(message) == {"received": [], "read": []}
    bob.ok("ack", cursors={team.stream: seq})
    author.ok("ack", cursors={team.stream: seq})
    wait_until(lambda: receipts(message) == {"received": ["bob"], "read": []}, "one receipt")
    vera.ok("mark_read", stream=team.stream, seq=seq)
    wait_until(
        lambda: receipts(message) == {"received": ["bob", "vera"], "read": ["vera"]}, "a reading"
    )


def test_ack_counts_from_the_start_of_the_subscription(
    join: Join, receipts: Receipts, team: Team
) -> None:
    """What was said while the person was away and never asked for is not received; an ack beyond
    what was written is clamped to it."""
    author, _ = follow(join, team.owner, team)
    missed, _ = say(author, team, "missed")
    bob, _ = follow(join, team.member, team)
    heard, seq = say(author, team, "heard")
    bob.wait_for_seq(team.stream, seq)
    bob.ok("ack", cursors={team.stream: seq + 1_000})
    wait_until(lambda: receipts(heard)["received"] == ["bob"], "a receipt")
    later, seq = say(author, team, "later")
    bob.wait_for_seq(team.stream, seq)
    assert receipts(later)["received"] == []
    assert receipts(missed)["received"] == []
    error = bob.error("ack", cursors={team.stream: seq, "system": 1})
    assert error["code"] == "not_subscribed"


def test_resumed_position_acknowledges_itself(
    nodes: dict[str, Server], join: Join, receipts: Receipts, team: Team
) -> None:
    """The socket is lost before anything was acknowledged; the position tells all the same, on
    another node, and what the resumed client has not confirmed stays open."""
    author, _ = follow(join, team.owner, team)
    before, _ = say(author, team, "before")
    bob, opened = follow(join, team.member, team)
    ids = []
    for body in ("a", "b"):
        message, seq = say(author, team, body)
        ids.append(message)
        bob.wait_for_seq(team.stream, seq)
    bob.socket.close()
    held = seq
    away, _ = say(author, team, "away")
    other = next(at for at in nodes.values() if at.ws not in str(bob.socket.request))
    again = join(team.member, at=other)
    since = {"epoch": opened["epoch"], "seq": held}
    assert again.ok("subscribe", stream=team.stream, since=since)["recovered"]
    wait_until(lambda: receipts(ids[1])["received"] == ["bob"], "a receipt")
    assert receipts(ids[0])["received"] == ["bob"]
    assert receipts(before)["received"] == []
    assert receipts(away)["received"] == []


def test_snapshot_acknowledges_everything_addressed(
    join: Join, backstage: Backstage, receipts: Receipts, team: Team
) -> None:
    """Up to its head; but a message from before somebody joined was not for them."""
    author, _ = follow(join, team.owner, team)
    message, _ = say(author, team, "old")
    backstage("join", project=team.project, user=team.stranger.id)
    for person in (team.member, team.stranger):
        follow(join, person, team, snapshot=True)
    wait_until(lambda: receipts(message)["received"] == ["bob"], "a receipt")
    later, seq = say(author, team, "new")
    sam, _ = follow(join, team.stranger, team, snapshot=True)
    wait_until(lambda: receipts(later)["received"] == ["sam"], "a receipt")
    assert receipts(message)["received"] == ["bob"]
    sam.ok("mark_read", stream=team.stream, seq=seq)
    wait_until(lambda: receipts(later)["read"] == ["sam"], "a reading")
    assert receipts(message)["read"] == []


def test_trimmed_message_is_counted_as_far_as_that_is_certain(
    join: Join, backstage: Backstage, receipts: Receipts, team: Team
) -> None:
    """Its seq is gone with its event: who has everything up to the trim has it."""
    author, _ = follow(join, team.owner, team)
    message, _ = say(author, team, "old")
    follow(join, team.member, team, snapshot=True)
    wait_until(lambda: receipts(message)["received"] == ["bob"], "a receipt")
    backstage("trim", stream=team.stream, floor=backstage("head", stream=team.stream))
    assert receipts(message) == {"received": ["bob"], "read": []}


def test_receipts_are_for_members(node: Server, join: Join, team: Team) -> None:
    author, _ = follow(join, team.owner, team)
    message, _ = say(author, team, "x")
    path = f"/api/projects/{team.project}/messages/{message}/receipts/"
    for person, status in ((team.viewer, 200), (team.stranger, 404)):
        assert node.request("GET", path, authorization=person.authorization).status_code == status
    other = path.replace(str(message), "999999")
    assert node.request("GET", other, authorization=team.owner.authorization).status_code == 404


def test_readings_are_told_once_a_second_over_all_nodes(
    nodes: dict[str, Server], join: Join, team: Team
) -> None:
    """Three people read on two nodes, message after message; each reading is told, and never two
    events within one second."""
    watcher, _ = follow(join, team.owner, team)
    places = list(nodes.values())
    readers = [
        join(person, at=places[number % 2])
        for number, person in enumerate((team.owner, team.member, team.viewer))
    ]
    for reader in readers:
        reader.ok("subscribe", stream=team.stream)
    seq = 0
    for number in range(12):
        _, seq = say(watcher, team, f"m{number}")
        for reader in readers:
            reader.wait_for_seq(team.stream, seq)
            reader.ok("mark_read", stream=team.stream, seq=seq)
    told: dict[str, int] = {}
    wanted = {str(person.id): seq for person in (team.owner, team.member, team.viewer)}
    seen = 0
    while told != wanted:
        frame = watcher.wait_for("message_read", 8.0, after=seen)
        seen = watcher.frames.index(frame) + 1
        told |= frame["data"]["reads"]
    moments = [seconds(f["ts"]) for f in watcher.frames if f.get("type") == "message_read"]
    gaps = [(b - a) % 3600 for a, b in pairwise(moments)]
    assert all(gap >= 1.0 for gap in gaps), gaps


def seconds(ts: str) -> float:
    return int(ts[14:16]) * 60 + float(ts[17:-1])
