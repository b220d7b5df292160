"""Who is here, and who types, as clients of several nodes see it."""

import time
from itertools import pairwise
from typing import Any

import pytest

from tests.nodes.client import Client, Frame
from tests.nodes.server import Server, wait_until
from tests.sockets.conftest import Join, Person, Team

# Every test uses several nodes, so which one is the default does not matter.
pytestmark = pytest.mark.parametrize("node", ["uvicorn"], indirect=True)

LEFT_S = 16.0  # 10 s of lingering after a clean close, and two rounds of a node


def follow(join: Join, person: Person, team: Team, at: Server) -> tuple[Client, Any]:
    """Who is here is None where the store took longer than a command waits: then it is asked."""
    client = join(person, at=at)
    found = [client.ok("subscribe", stream=team.stream)["presence"]]

    def known() -> bool:
        if found[-1] is None:
            found.append(client.ok("presence", stream=team.stream))
        return found[-1] is not None

    wait_until(known, "who is here")
    return client, found[-1]


def states(presence: Any) -> dict[str, str]:
    return {one["user"]["name"]: one["state"] for one in presence["users"]}


def told(client: Client, name: str, person: Person, timeout_s: float = 5.0) -> Frame:
    return client.wait_for(
        lambda frame: frame.get("type") == name and frame["data"]["user"]["id"] == person.id,
        timeout_s,
    )


def test_people_are_counted_once_over_tabs_and_nodes(
    nodes: dict[str, Server], join: Join, team: Team
) -> None:
    """`user_joined` with the first tab, nothing with the second; `user_left` with the last one,
    some seconds after its close. Each difference has the next number."""
    uvicorn, daphne = nodes["uvicorn"], nodes["daphne"]
    watcher, present = follow(join, team.owner, team, uvicorn)
    assert states(present) == {"ada": "online"}
    first, present = follow(join, team.member, team, daphne)
    assert states(present) == {"ada": "online", "bob": "online"}
    joined = told(watcher, "user_joined", team.member)
    assert set(joined) == {"type", "stream", "ts", "data"}
    assert joined["data"] == {
        "user": {"id": team.member.id, "name": "bob"},
        "state": "online",
        "nonce": present["nonce"],
        "counter": present["counter"],
    }
    second, again = follow(join, team.member, team, uvicorn)
    assert (again["nonce"], again["counter"]) == (present["nonce"], present["counter"])
    first.socket.close()
    second.socket.close()
    closed = time.monotonic()
    left = told(watcher, "user_left", team.member, LEFT_S)
    assert time.monotonic() - closed >= 9.0
    assert left["data"]["state"] == "offline"
    assert left["data"]["counter"] == present["counter"] + 1
    kinds = [frame["type"] for frame in watcher.frames if frame.get("type", "").startswith("user_")]
    assert kinds.count("user_joined") <= 2  # perhaps one's own
    assert kinds.count("user_left") == 1
    assert states(watcher.ok("presence", stream=team.stream)) == {"ada": "online"}


def test_tab_says_how_it_is(nodes: dict[str, Server], join: Join, team: Team) -> None:
    """Busy on one tab is busy; hidden is not away before five minutes."""
    watcher, _ = follow(join, team.owner, team, nodes["daphne"])
    client, _ = follow(join, team.member, team, nodes["uvicorn"])
    busy = client.ok("presence", stream=team.stream, state="busy")
    assert states(busy) == {"ada": "online", "bob": "busy"}
    assert told(watcher, "user_status_changed", team.member)["data"]["state"] == "busy"
    hidden = client.ok("presence", stream=team.stream, state="hidden")
    assert states(hidden) == {"ada": "online", "bob": "online"}
    for fields, code in (
        ({"stream": team.stream, "state": "asleep"}, "bad_request"),
        ({"stream": "system"}, "bad_request"),
        ({"stream": "project.999999"}, "not_subscribed"),
    ):
        assert client.error("presence", **fields)["code"] == code


def test_heartbeats_say_where_presence_stands(
    nodes: dict[str, Server], join: Join, team: Team
) -> None:
    """A client that lost a difference sees the jump; streams without presence are not named."""
    watcher, _ = follow(join, team.owner, team, nodes["daphne"])
    watcher.ok("subscribe", stream="system")
    _, present = follow(join, team.member, team, nodes["uvicorn"])
    expected = {team.stream: {"nonce": present["nonce"], "counter": present["counter"]}}

    def agreed() -> bool:
        watcher.receive()
        return bool(watcher.heartbeats) and watcher.heartbeats[-1].get("presence") == expected

    wait_until(agreed, "a heartbeat with the present counter", 6.0)


def test_stranger_is_not_present(nodes: dict[str, Server], join: Join, team: Team) -> None:
    """A refused subscribe registers nobody."""
    stranger = join(team.stranger)
    assert stranger.error("subscribe", stream=team.stream)["code"] == "forbidden"
    assert stranger.error("presence", stream=team.stream)["code"] == "not_subscribed"
    _, present = follow(join, team.owner, team, nodes["uvicorn"])
    assert states(present) == {"ada": "online"}


def test_list_of_typists_is_of_all_nodes(nodes: dict[str, Server], join: Join, team: Team) -> None:
    """Two people type on two of the nodes: every reader hears both, at most once a second."""
    watchers = [follow(join, team.viewer, team, at)[0] for at in nodes.values()]
    typists = [
        follow(join, person, team, at)[0]
        for person, at in zip((team.owner, team.member), list(nodes.values())[1:], strict=True)
    ]
    both = {team.owner.id, team.member.id}
    for typist in typists:
        typist.ok("typing", stream=team.stream, on=True)
    arrived: list[list[float]] = []
    for watcher in watchers:
        watcher.wait_for(lambda frame: listed(frame) == both)
    for typist in typists:
        typist.ok("typing", stream=team.stream, on=False)
    for watcher in watchers:
        watcher.wait_for(lambda frame: listed(frame) == set())
        arrived.append([seconds(f["ts"]) for f in watcher.frames if listed(f) is not None])
    for times in arrived:
        gaps = [after - before for before, after in pairwise(times)]
        assert all(gap % 60 >= 0.99 for gap in gaps), gaps


def listed(frame: Frame) -> set[int] | None:
    """Who types, by a `user_typing`; None for another frame."""
    if frame.get("type") != "user_typing":
        return None
    return {user["id"] for user in frame["data"]["users"]}


def seconds(ts: str) -> float:
    return int(ts[14:16]) * 60 + float(ts[17:-1])
