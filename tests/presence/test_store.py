"""The script of presence on a real server: leases, states, differences and new beginnings."""

import asyncio
import time
from collections.abc import Sequence
from types import SimpleNamespace

import pytest
from pydantic_core import from_json

from realtime.presence.rooms import Room, Tab
from realtime.presence.roster import Difference, Roster
from realtime.presence.store import CHUNK, PresenceStore, Registration, Touch, Touched
from realtime.protocol.errors import Unavailable
from realtime.shared.store import SharedStore
from tests.presence.conftest import Scene

LIMIT_S = 2.0
LEASE_MS, LINGER_MS, AWAY_MS = 300, 100, 250


class Node:
    """What one node does to one stream; times are short, so that a test sees leases end."""

    def __init__(self, shared: SharedStore, lease_ms: int = LEASE_MS) -> None:
        self.store = PresenceStore(shared, lease_ms=lease_ms, linger_ms=LINGER_MS, away_ms=AWAY_MS)
        self.roster = Roster()

    async def touch(
        self,
        *registered: Registration,
        renewed: Sequence[str] = (),
        released: Sequence[str] = (),
    ) -> Touched:
        touch = Touch(
            "project.1", self.roster.nonce, self.roster.counter, registered, renewed, released
        )
        [touched] = await self.store.touch([touch], limit_s=LIMIT_S)
        self.roster.see(touched.seen)
        return touched

    async def until(self, told: int, **fields: Sequence[str]) -> list[Difference]:
        """Touch until that many differences were made."""
        deadline = time.monotonic() + 5
        found: list[Difference] = []
        while len(found) < told:
            assert time.monotonic() < deadline, found
            await asyncio.sleep(0.02)
            found += (await self.touch(**fields)).seen.differences
        return found

    @property
    def states(self) -> dict[str, str]:
        return {
            one["user"]["name"]: one["state"] for one in from_json(self.roster.as_json())["users"]
        }


def tab(user: int, connection: str, state: str = "online", age_ms: int = 0) -> Registration:
    return Registration(user, "Zoë" if user == 1 else f"P{user}", connection, state, age_ms)


def told(touched: Touched) -> list[tuple[str, str]]:
    return [(one.signal, one.name) for one in touched.seen.differences]


def test_person_joins_once_and_leaves_with_the_last_tab(play: Scene) -> None:
    """Two tabs on two nodes are one person; the node that finds the end says so, alone."""

    async def scene(shared: SharedStore) -> None:
        one, two = Node(shared), Node(shared)
        assert told(await one.touch(tab(1, "a"))) == [("user_joined", "Zoë")]
        assert told(await two.touch(tab(1, "b"), tab(2, "c"))) == [("user_joined", "P2")]
        await one.touch(renewed=["1:a"])
        assert one.states == two.states == {"Zoë": "online", "P2": "online"}
        await one.touch(released=["1:a"], renewed=["2:c"])
        gone = await two.until(1, renewed=["2:c"])
        assert [(one.signal, one.user_id) for one in gone] == [("user_left", 1)]
        assert told(await one.touch()) == []
        assert one.states == two.states == {"P2": "online"}
        assert one.roster.position == two.roster.position
        assert two.roster.counter == 3

    play(scene)


def test_lease_is_kept_by_renewing_and_shortened_by_a_close(play: Scene) -> None:
    async def scene(shared: SharedStore) -> None:
        node = Node(shared)
        began = time.monotonic()
        await node.touch(tab(1, "a"), tab(2, "b"))
        while time.monotonic() - began < 2 * LEASE_MS / 1000:
            touched = await node.touch(renewed=["1:a", "2:b"])
            assert not touched.seen.differences
            assert not touched.missing
            await asyncio.sleep(0.05)
        closed = time.monotonic()
        await node.touch(released=["1:a"])
        await node.until(1, renewed=["2:b"])
        assert LINGER_MS / 1000 <= time.monotonic() - closed < LEASE_MS / 1000

    play(scene)


def test_person_comes_back_within_the_lingering_unseen(play: Scene) -> None:
    """A reload closes one connection and opens another: nobody is told."""

    async def scene(shared: SharedStore) -> None:
        node = Node(shared)
        await node.touch(tab(1, "a"))
        await node.touch(released=["1:a"])
        assert told(await node.touch(tab(1, "b"))) == []
        await asyncio.sleep(LINGER_MS / 1000 * 1.5)
        assert told(await node.touch(renewed=["1:b"])) == []
        assert node.states == {"Zoë": "online"}

    play(scene)


def test_away_when_all_tabs_were_hidden_long_enough(play: Scene) -> None:
    """One visible tab keeps the person online; the time counts from the last tab hidden."""

    async def scene(shared: SharedStore) -> None:
        node = Node(shared, lease_ms=60_000)
        await node.touch(tab(1, "a", "hidden", age_ms=AWAY_MS * 2), tab(1, "b"))
        assert node.states == {"Zoë": "online"}
        await node.touch(tab(1, "b", "hidden"))
        assert node.states == {"Zoë": "online"}
        assert [(one.signal, one.state) for one in await node.until(1)] == [
            ("user_status_changed", "away")
        ]
        assert told(await node.touch(tab(1, "a", "online"))) == [("user_status_changed", "Zoë")]
        assert node.states == {"Zoë": "online"}
        await node.touch(tab(1, "b", "busy"))
        assert node.states == {"Zoë": "busy"}

    play(scene)


def test_emptied_store_begins_anew_and_asks_for_everybody(play: Scene) -> None:
    """The nonce changes, nobody is told of a leaving, and renewals name what must come again."""

    async def scene(shared: SharedStore) -> None:
        node, other = Node(shared), Node(shared)
        await node.touch(tab(1, "a"))
        before = node.roster.nonce

        async def empty(redis: object) -> None:
            keys = [shared.key("presence", "project.1", part) for part in ("people", "meta")]
            await redis.delete(*keys)  # type: ignore[attr-defined]

        await shared.call(empty, limit_s=LIMIT_S)
        touched = await other.touch(renewed=["1:a"])
        assert list(touched.missing) == ["1:a"]
        assert touched.seen.people == {}
        again = await node.touch(tab(1, "a"))
        assert node.roster.nonce == other.roster.nonce != before
        assert told(again) == [("user_joined", "Zoë")]
        assert node.states == {"Zoë": "online"}

    play(scene)


def test_looks_in_another_order_leave_the_newest_list(play: Scene) -> None:
    async def scene(shared: SharedStore) -> None:
        node, other = Node(shared), Node(shared)
        late = await other.touch(tab(1, "a"))
        await other.touch(tab(2, "b"))
        await node.touch(tab(3, "c"))
        node.roster.see(late.seen)
        assert sorted(node.states) == ["P2", "P3", "Zoë"]

    play(scene)


def test_steps_behind_the_first_bring_differences_and_no_list(play: Scene) -> None:
    """A renewal of thousands once brought the whole room with its last step, every 4 s."""

    async def scene(shared: SharedStore) -> None:
        node, other = Node(shared, lease_ms=5_000), Node(shared, lease_ms=5_000)
        await node.touch(*(tab(user, "a") for user in range(1, CHUNK + 2)))
        room = Room("project.1", roster=node.roster)
        for user in range(2, CHUNK + 3):
            member = SimpleNamespace(
                id="b",
                user_id=user,
                identity=SimpleNamespace(name=f"P{user}"),
                subscriptions={"project.1": None},
            )
            room.tabs[f"{user}"] = room.untold[f"{user}"] = Tab(member)
        steps = list(room.steps(renewing=True))
        touched = await node.store.touch([step.touch for step in steps], limit_s=LIMIT_S)
        assert [one.seen.people for one in touched] == [None, None]
        for one in touched:
            node.roster.see(one.seen)
        await other.touch()
        assert node.roster.position == other.roster.position
        assert len(node.roster) == len(other.roster) == CHUNK + 2

    play(scene)


def test_dead_store_is_unavailable(play: Scene, tmp_path: object) -> None:
    async def scene(_: SharedStore) -> None:
        dead = SharedStore(f"unix://{tmp_path}/nobody", "x")
        with pytest.raises(Unavailable):
            await Node(dead).touch(tab(1, "a"))
        await dead.close()

    play(scene)
