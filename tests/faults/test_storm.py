"""A node is killed under a crowd, which resumes on the other one: nothing lost, few reads."""

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bench.crowd import Member
from tests.nodes.backstage import Backstage
from tests.nodes.installation import Installation, temporary_installation
from tests.nodes.server import Server, running

CROWD = 150
ROOMS = 3
WAIT_S = 60.0


@pytest.fixture
def installation(tmp_path: Path) -> Iterator[Installation]:
    with temporary_installation(tmp_path) as found:
        yield found


@pytest.fixture
def backstage(installation: Installation) -> Iterator[Backstage]:
    with Backstage(installation) as found:
        found("head", stream="system")
        yield found


class Crowd:
    """`level` once every member stands where its subscriptions' replies said."""

    def __init__(self, made: dict[str, Any]) -> None:
        rooms = made["rooms"]
        self.rooms = [f"project.{key}" for key in rooms]
        self.members = [
            Member(key, (self.rooms[number % len(rooms)], f"user.{person}", "system"), self._one)
            for number, (person, key) in enumerate(zip(made["people"], made["keys"], strict=False))
        ]
        self._waiting = 0
        self._all = asyncio.Event()

    def _one(self, member: Member) -> None:
        self._waiting -= 1
        if self._waiting == 0:
            self._all.set()

    def go_to(self, server: Server) -> None:
        self._waiting = len(self.members)
        self._all.clear()
        host, _, port = server.http.removeprefix("http://").partition(":")
        for member in self.members:
            member.place = (host, int(port))

    async def level(self) -> None:
        async with asyncio.timeout(WAIT_S):
            await self._all.wait()

    async def at(self, heads: dict[str, int]) -> None:
        deadline = time.monotonic() + WAIT_S
        while any(
            member.cursors[stream][1] < heads.get(stream, 0)
            for member in self.members
            for stream in member.streams
        ):
            assert time.monotonic() < deadline, f"expected everyone at {heads}"
            await asyncio.sleep(0.02)

    def leave(self) -> None:
        for member in self.members:
            member.stopped = True
            if member.socket is not None:
                member.socket.close()


def database_calls(server: Server) -> int:
    return int(server.request("GET", "/health/counters").json()["database_calls"])


def test_crowd_of_a_killed_node_resumes_on_the_other(
    installation: Installation, backstage: Backstage
) -> None:
    """Each follows three streams; what was committed while nobody served them comes first."""
    made = backstage("crowd", people=CROWD, rooms=ROOMS)
    first = Server(installation).wait()  # keeps the channel layer
    second = Server(installation)
    with running(first, second):
        asyncio.run(storm(Crowd(made), first, second, backstage, made))
        assert first.request("GET", "/health/live").status_code == 200


async def storm(
    crowd: Crowd, stays: Server, dies: Server, backstage: Backstage, made: dict[str, Any]
) -> None:
    crowd.go_to(dies)
    for member in crowd.members:
        member.come(0)
    await crowd.level()
    await asyncio.to_thread(post, backstage, made, 5)
    before = await asyncio.to_thread(database_calls, stays)
    crowd.go_to(stays)
    dies.kill()
    heads = await asyncio.to_thread(post, backstage, made, 7)
    await crowd.level()
    await crowd.at(heads)
    calls = await asyncio.to_thread(database_calls, stays) - before
    crowd.leave()
    assert [fault for member in crowd.members for fault in member.faults] == []
    # One by one it is a read for each sign-in, each account's stream and each subscription: 5.
    # A busy machine gathers less in each read: half of that would still be most of it saved.
    assert calls < 2 * CROWD, f"expected less than 2 reads per client, got {calls} for {CROWD}"


def post(backstage: Backstage, made: dict[str, Any], count: int) -> dict[str, int]:
    return {
        f"project.{room}": backstage("post", project=room, author=made["owner"], count=count)
        for room in made["rooms"]
    }
