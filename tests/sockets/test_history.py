"""Reading back, acknowledging, heartbeats, and readers that are slow."""

import time
from contextlib import ExitStack

from tests.nodes.backstage import Backstage
from tests.nodes.client import Client, assert_unbroken
from tests.nodes.server import Server
from tests.sockets.conftest import Join, Team, post


def test_history_of_a_trimmed_log_ends_at_the_floor(
    join: Join, backstage: Backstage, team: Team
) -> None:
    """`more` is not promised where nothing is."""
    head = post(backstage, team, 6)
    backstage("trim", stream=team.stream, floor=head - 2)
    data = join(team.member).ok("history", stream=team.stream, limit=2)
    assert_unbroken([event["seq"] for event in data["events"]], head - 1, head)
    assert data["more"] is False


def test_slow_reader_costs_nobody_and_loses_nothing(
    node: Server, stack: ExitStack, join: Join, backstage: Backstage, team: Team
) -> None:
    """Promise 5: 10 MB wait in the log, not in the server, until the reader takes them. That it
    counts as lagging shows in the signal that is dropped for it."""
    slow = stack.enter_context(
        Client(f"{node.ws}/ws", authorization=team.viewer.authorization, slow=True)
    ).greeted()
    quick = join(team.member)
    start = slow.ok("subscribe", stream=team.stream)["head"]
    quick.ok("subscribe", stream=team.stream)
    last = post(backstage, team, 650, body="x" * 15_900)
    quick.wait_for_seq(team.stream, last, 20.0)
    assert_unbroken(quick.seqs(team.stream), start + 1, last)
    quick.ok("typing", stream=team.stream, on=True)
    quick.wait_for("typing_indicator")
    slow.wait_for_seq(team.stream, last, 20.0)
    slow.flushed()
    assert "typing_indicator" not in [frame.get("type") for frame in slow.frames]
    assert_unbroken(slow.seqs(team.stream), start + 1, last)


def test_history_pages_ascend(join: Join, backstage: Backstage, team: Team) -> None:
    """The newest by default; `before` goes back page by page to the first event, `more` says so."""
    head = post(backstage, team, 260)
    client = join(team.member)
    newest = client.ok("history", stream=team.stream)
    assert_unbroken([event["seq"] for event in newest["events"]], head - 49, head)
    assert newest["more"] is True
    pages: list[int] = []
    before: int | None = None
    for limit in (1, 200, 7, 200):
        fields = {"before": before} if before is not None else {}
        data = client.ok("history", stream=team.stream, limit=limit, **fields)
        seqs = [event["seq"] for event in data["events"]]
        assert seqs == sorted(seqs)
        pages = seqs + pages
        before = seqs[0]
        assert data["more"] is (before > 1)
    assert_unbroken(pages, 1, head)
    assert client.ok("history", stream=team.stream, before=1) == {"events": [], "more": False}
    beyond = client.ok("history", stream=team.stream, before=10**9, limit=1)
    assert [event["seq"] for event in beyond["events"]] == [head]
    client.ok("subscribe", stream=team.stream)
    live = post(backstage, team)
    frame = client.wait_for_seq(team.stream, live)
    assert client.ok("history", stream=team.stream, limit=1)["events"] == [frame]


def test_ack_is_clamped_and_cumulative(join: Join, backstage: Backstage, team: Team) -> None:
    """Beyond what was written, or backwards: accepted, and it means no more than it can."""
    client = join(team.member)
    head = client.ok("subscribe", stream=team.stream)["head"]
    last = post(backstage, team, 3)
    client.wait_for_seq(team.stream, last)
    for seq in (head + 1, 10**9, 0, last):
        assert client.ok("ack", cursors={team.stream: seq}) == {}
    assert client.ok("ack", cursors={}) == {}
    for cursors in ({"system": 1}, {team.stream: 1, f"{team.stream}0": 1}, {"nonsense": 1}):
        assert client.error("ack", cursors=cursors)["code"] == "not_subscribed", cursors


def test_heartbeats_carry_what_was_written(
    join: Join, backstage: Backstage, team: Team, node: Server
) -> None:
    """Every `heartbeat_s`; `heads` is of this socket, in order with its frames."""
    client = join(team.member)
    client.ok("subscribe", stream=team.stream)
    client.ok("subscribe", stream="system")
    head = post(backstage, team, 2)
    client.wait_for_seq(team.stream, head)
    seen = len(client.heartbeats)
    deadline = time.monotonic() + 5
    while len(client.heartbeats) < seen + 2:
        client.receive(deadline - time.monotonic())
        # A store that took longer than 50 ms to answer is asked again by the next round.
        if client.heartbeats[seen:] and "presence" not in client.heartbeats[seen]:
            seen += 1
    first, second = client.heartbeats[seen : seen + 2]
    assert set(first) == {"type", "ts", "heads", "presence"}
    assert set(first["presence"]) == {team.stream}
    assert set(first["presence"][team.stream]) == {"nonce", "counter"}
    assert first["heads"] == {team.stream: head, "system": backstage("head", stream="system")}
    assert second["ts"] > first["ts"]
    client.ok("unsubscribe", stream="system")
    seen = len(client.heartbeats)
    while len(client.heartbeats) == seen:
        client.receive()
    assert client.heartbeats[-1]["heads"] == {team.stream: head}
