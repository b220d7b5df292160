"""Broadcasts once for each person, and counted right, whoever is killed meanwhile."""

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import Any

from bench.listeners import Listener
from tests.nodes.client import Client
from tests.nodes.server import Server
from tests.nodes.worker import WorkerProcess, working
from tests.promises.conftest import Cluster

PEOPLE = 20
BROADCASTS = 18  # below the limit of an author within a minute
WAIT_S = 60.0


async def until(condition: Callable[[], object], what: str) -> None:
    loop = asyncio.get_running_loop()
    deadline = loop.time() + WAIT_S
    while not condition():
        assert loop.time() < deadline, f"expected {what} within {WAIT_S:g} s"
        await asyncio.sleep(0.05)


def test_worker_and_node_killed_in_the_middle(cluster: Cluster) -> None:
    """20 people on two nodes and 18 broadcasts; the worker and then one node end by kill -9 among
    them. Nobody has one twice, nobody misses one, and each count is the truth."""
    asyncio.run(_run(cluster))


def test_operators_watch_it_go_out(cluster: Cluster) -> None:
    """The sockets of an operator and of the author on one node hear of each count that the other
    one makes: what was delivered, and who said that they have read it."""
    [here, there] = cluster.servers[:2]
    team = cluster.backstage("team")
    people, stream = team["people"], f"project.{team['project']}"
    watcher = cluster.backstage("person", name="root", staff=True)

    def opened(server: Server, person: dict[str, Any], followed: str) -> Client:
        client = Client(f"{server.ws}/ws", authorization=f"Api-Key {person['key']}").greeted()
        client.ok("subscribe", stream=followed, snapshot=True)
        return client

    def counts(client: Client, broadcast: int, **expected: int) -> None:
        client.wait_for(
            lambda frame: (
                frame.get("type") == "metrics_update"
                and frame["data"]["values"] | {"broadcast": broadcast, **expected}
                == frame["data"]["values"]
            ),
            20.0,
        )

    with (
        working(WorkerProcess(cluster.installation)),
        opened(there, watcher, "status") as status,
        opened(there, people["ada"], f"user.{people['ada']['id']}") as author,
        opened(here, people["bob"], stream) as bob,
    ):
        given = {"title": "Read this", "body": "now", "must_acknowledge": True}
        answer = here.request(
            "POST",
            f"/api/websocket/broadcast/project/{team['project']}",
            authorization=f"Api-Key {people['ada']['key']}",
            json=given,
        )
        broadcast = answer.json()["id"]
        counts(status, broadcast, addressed=3, delivered=0)
        frame = bob.wait_for("broadcast_message", 20.0)
        bob.ok("ack", cursors={stream: frame["seq"]})
        counts(status, broadcast, delivered=1, acknowledged=0)
        said = here.request(
            "POST",
            f"/api/websocket/broadcast/{broadcast}/acknowledge",
            authorization=f"Api-Key {people['vera']['key']}",
        )
        assert said.status_code == 200, said.text
        for client in (status, author):
            counts(client, broadcast, delivered=2, acknowledged=1)


async def _run(cluster: Cluster) -> None:
    crowd = cluster.backstage("crowd", people=PEOPLE, rooms=1)
    stays, dies = cluster.servers[0], cluster.start_server()
    [project] = crowd["rooms"]
    stream = f"project.{project}"
    listeners = [
        Listener(key, stream, [server.http, stays.http])
        for key, server in zip(crowd["keys"], [dies, stays] * (PEOPLE // 2), strict=False)
    ]
    worker = WorkerProcess(cluster.installation, JOB_LEASE="1.5").wait()
    try:
        for listener in listeners:
            listener.come(0)
        await until(lambda: all(one.resumed_at for one in listeners), "everybody to listen")
        made = []
        for number in range(BROADCASTS):
            made.append(await asyncio.to_thread(_post, stays, crowd, project, number))
            if number == BROADCASTS // 3:
                worker.kill()
                worker = WorkerProcess(cluster.installation, JOB_LEASE="1.5")
            if number == 2 * BROADCASTS // 3:
                await until(lambda: any(one.got for one in listeners), "the first broadcasts")
                dies.kill()
        await until(
            lambda: all(set(one.got) >= set(made) for one in listeners), "all of them at everybody"
        )
        assert [one.faults for one in listeners] == [[]] * PEOPLE
        assert [one.got for one in listeners] == [Counter(made)] * PEOPLE
        # The owner does not listen: addressed, and not reached.
        truth = {"status": "published", "addressed": PEOPLE + 1, "delivered": PEOPLE, "late": 0}
        for broadcast in made:
            await _reported(stays, crowd, broadcast, truth)
    finally:
        for listener in listeners:
            listener.leave()
        await asyncio.to_thread(worker.stop)


def _post(server: Server, crowd: dict[str, Any], project: int, number: int) -> int:
    answer = server.request(
        "POST",
        f"/api/websocket/broadcast/project/{project}",
        authorization=f"Api-Key {crowd['keys'][-1]}",
        json={"title": f"Number {number}", "body": "*all* of you"},
    )
    assert answer.status_code == 202, answer.text
    found: int = answer.json()["id"]
    return found


async def _reported(
    server: Server, crowd: dict[str, Any], broadcast: int, truth: dict[str, Any]
) -> None:
    """Until what is acknowledged is written, and told as it is."""
    seen: list[Any] = []

    def asked() -> bool:
        answer = server.request(
            "GET",
            f"/api/websocket/broadcast/{broadcast}",
            authorization=f"Api-Key {crowd['keys'][-1]}",
        )
        seen.append({name: answer.json()[name] for name in truth})
        return bool(seen[-1] == truth)

    await until(asked, f"{truth} of broadcast {broadcast}")
