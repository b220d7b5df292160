"""The monitor in real processes: two nodes, a worker that comes and goes, a Redis that stops."""

import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.metrics.watching import FILES, asked
from tests.nodes.backstage import Backstage
from tests.nodes.client import Client, Frame
from tests.nodes.installation import Installation, temporary_installation
from tests.nodes.server import Server, running, wait_until
from tests.nodes.worker import WorkerProcess

TOKEN = "a-token-of-prometheus"
ADDRESSES = (
    "GET websocket/status",
    "GET websocket/status/system",
    "GET websocket/status/health",
    "GET websocket/status/alerts",
    "GET websocket/status/history?measure=cpu.percent",
    "POST websocket/status/health-check",
    "GET websocket/connections",
    "GET websocket/events/types",
    "GET websocket/metrics",
    "POST websocket/maintenance/connections/cleanup",
    "GET status/live",
    "GET status/metrics",
    "GET status/connections",
)
FOR_EVERYBODY_SIGNED_IN = {"GET websocket/events/types"}
ENDINGS = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count")}
WITHIN_S = 30.0  # on a busy machine; 10 s are promised and measured in docs/status.md


@dataclass
class Site:
    installation: Installation
    backstage: Backstage
    servers: list[Server]
    operator: dict[str, Any]
    worker: WorkerProcess

    def follow(self, stack: ExitStack, server: Server) -> Client:
        authorization = f"Api-Key {self.operator['key']}"
        client = Client(server.ws + "/ws", authorization=authorization)
        return stack.enter_context(client).greeted()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("status")
    with (
        temporary_installation(
            folder, STATUS_MONITOR="true", DRAIN_WINDOW="0", METRICS_TOKEN=TOKEN
        ) as installation,
        Backstage(installation) as backstage,
    ):
        operator = backstage("person", name="Olga", permission="status.view_status")
        # First: else the nodes would find none, and begin with an alert.
        worker = WorkerProcess(installation, STATUS_MONITOR="true").wait()
        try:
            # The second keeps the channel layer: the first is killed.
            second = Server(installation).wait()
            with running(Server(installation), second) as servers:
                found = Site(installation, backstage, list(servers), operator, worker)
                yield found
                found.servers[0].stop()
                worker = found.worker
        finally:
            worker.stop()


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def part(client: Client, name: str, state: str) -> Frame:
    """The update that says so."""
    return client.wait_for(
        lambda frame: (
            frame.get("type") == "system_status_update"
            and frame["data"]["parts"].get(name) == state
        ),
        WITHIN_S,
    )


def alert(client: Client, name: str, state: str) -> Frame:
    return client.wait_for(
        lambda frame: (
            frame.get("type") == "performance_alert"
            and (frame["data"]["alert"], frame["data"]["state"]) == (name, state)
        ),
        WITHIN_S,
    )


def text_of(server: Server) -> str:
    answer = server.request("GET", "/metrics", authorization=f"Bearer {TOKEN}")
    assert answer.status_code == 200, answer.text
    return answer.text


def scraped(server: Server) -> dict[str, float]:
    """Every sample of `/metrics`, by its name and labels."""
    lines = [line for line in text_of(server).splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


def test_any_node_tells_the_numbers_of_all(site: Site, stack: ExitStack) -> None:
    """Two nodes with sockets, and a worker: whichever is asked, what happened is there once."""
    first, second = site.servers
    # Who is asked tells its own numbers: afterwards the sockets of the tests before are in both.
    wait_until(
        lambda: scraped(first) and scraped(second).get("pm_connections") == 0,
        "the sockets of other tests to be gone",
        WITHIN_S,
    )
    before = scraped(first)
    team = site.backstage("team")
    stream = f"project.{team['project']}"
    ada, bob, vera = (
        stack.enter_context(
            Client(server.ws + "/ws", authorization=f"Api-Key {team['people'][name]['key']}")
        ).greeted()
        for name, server in (("ada", first), ("bob", second), ("vera", second))
    )
    position = {}
    for client in (ada, bob):
        reply = client.ok("subscribe", stream=stream)
        position = {"epoch": reply["epoch"], "seq": reply["head"]}
    ada.ok("send_message", stream=stream, body="hello", client_ref="r1")
    for client in (ada, bob):
        client.wait_for("new_message")
        client.ok("ping")
    bob.ok("subscribe", stream=stream, since=position)  # one event is replayed
    assert not bob.command("subscribe", stream="project.999999")["ok"]
    assert not bob.command("dance")["ok"]
    vera.socket.close()
    with Client(second.ws + "/ws", authorization="Api-Key wrong") as stranger:
        assert stranger.closed()[0] == 4401
    expected = {
        "pm_connects_total": 3,
        'pm_closes_total{code="1000"}': 1,
        'pm_refused_total{code="4401"}': 1,
        'pm_events_published_total{type="new_message"}': 1,
        'pm_commands_total{command="send_message"}': 1,
        'pm_commands_total{command="ping"}': 2,
        'pm_commands_total{command="none"}': 1,
        'pm_command_errors_total{code="unknown_command",command="none"}': 1,
        'pm_command_errors_total{code="forbidden",command="subscribe"}': 1,
        'pm_replays_total{source="memory"}': 1,
    }

    least = {  # the message at two sockets, and at one once more; a batch of each node
        "pm_deliveries_total": 3,
        "pm_commit_to_write_seconds_count": 2,
        "pm_fan_out_seconds_count": 2,
    }
    standing = {
        "pm_connections": 2,
        'pm_processes{kind="node"}': len(site.servers),
        'pm_processes{kind="worker"}': 1,
        'pm_component_state{component="jobs"}': 0,
    }

    def wrong_at(server: Server) -> dict[str, float | None]:
        found = scraped(server)
        new = {name: found.get(name, 0) - before.get(name, 0) for name in (*expected, *least)}
        return (
            {name: new[name] for name, count in expected.items() if new[name] != count}
            | {name: new[name] for name, count in least.items() if new[name] < count}
            | {
                name: found.get(name)
                for name, value in standing.items()
                if found.get(name) != value
            }
        )

    for server in site.servers:
        deadline = time.monotonic() + WITHIN_S
        while wrong := wrong_at(server):
            assert time.monotonic() < deadline, (
                f"expected {expected | least | standing}, got {wrong}"
            )
            time.sleep(0.2)


@pytest.mark.parametrize("name", FILES)
def test_what_is_shown_and_watched_is_told(site: Site, name: str) -> None:
    """A panel or an alert on a name that nobody tells would stay empty without a word."""
    used = {one.name for one in asked(name)}

    def untold() -> set[str]:
        families = text_string_to_metric_families(text_of(site.servers[0]))
        return used - {one.name + end for one in families for end in ENDINGS.get(one.type, ("",))}

    wait_until(lambda: not untold(), f"all of {sorted(used)}", WITHIN_S)


def test_every_address_answers(site: Site, stack: ExitStack) -> None:
    """Those that operators and monitoring systems were promised, to nobody else, and what is asked
    of all nodes with the answers of both."""
    omar = site.backstage("person", name="Omar", permission="status.view_status")
    for right in ("realtime.view_liveconnection", "realtime.change_liveconnection"):
        site.backstage("grant_by_group", user=omar["id"], permission=right)
    sam = site.backstage("person", name="Sam")
    server = site.servers[0]
    here, there = (site.follow(stack, one) for one in site.servers)
    here.ok("subscribe", stream="status")

    def ask(address: str, key: str = "") -> httpx.Response:
        method, _, path = address.partition(" ")
        return server.request(method, f"/api/{path}", authorization=key and f"Api-Key {key}")

    def sockets() -> list[str]:
        return [
            one["id"] for one in ask("GET websocket/connections", omar["key"]).json()["connections"]
        ]

    wait_until(lambda: len(sockets()) == 2, "both sockets", WITHIN_S)
    for address in (*ADDRESSES, *(f"GET websocket/connections/{one}" for one in sockets())):
        assert ask(address).status_code == 401, address
        open_to_all = address in FOR_EVERYBODY_SIGNED_IN
        assert ask(address, sam["key"]).status_code == (200 if open_to_all else 403), address
        answer = ask(address, omar["key"])
        assert answer.status_code == 200, (address, answer.text)
    here.wait_for("health_check", WITHIN_S)
    unknown = ask("GET websocket/connections/nowhere", omar["key"])
    assert unknown.status_code == 404, unknown.text
    assert ask("DELETE websocket/connections/nowhere", omar["key"]).status_code == 404
    assert there.ok("ping")


def test_a_worker_goes_and_comes(site: Site, stack: ExitStack) -> None:
    """Both nodes' readers hear of it; one alert opens, and closes when a worker is back."""
    clients = [site.follow(stack, server) for server in site.servers]
    for client in clients:
        snapshot = client.ok("subscribe", stream="status", snapshot=True)["snapshot"]
        if snapshot["parts"].get("jobs") != "ok":
            part(client, "jobs", "ok")
        client.wait_for(  # not in the first ones: its monitor may only just have begun
            lambda frame: (
                frame.get("type") == "metrics_update"
                and frame["data"]["values"].get("database.answer_ms", 0) > 0
            ),
            WITHIN_S,
        )
    site.worker.kill()
    for client in clients:
        part(client, "jobs", "down")
        opened = alert(client, "jobs.down", "opened")
        assert opened["data"]["severity"] == "critical"
    # For the tests that come after, too.
    site.worker = WorkerProcess(site.installation, STATUS_MONITOR="true").wait()
    for client in clients:
        alert(client, "jobs.down", "closed")
        told = [
            frame["data"]["state"]
            for frame in client.frames
            if frame.get("type") == "performance_alert" and frame["data"]["alert"] == "jobs.down"
        ]
        assert told == ["opened", "closed"]


def test_a_node_dies_and_another_goes_on(site: Site, stack: ExitStack) -> None:
    """Whichever of the two held the board: the one that is left looks at everything."""
    first, second = site.servers
    client = site.follow(stack, second)
    snapshot = client.ok("subscribe", stream="status", snapshot=True)["snapshot"]
    assert {one["kind"] for one in snapshot["members"]} >= {"node"}
    first.kill()
    client.wait_for(
        lambda frame: (
            frame.get("type") == "metrics_update"
            and "event_log.append_ms" in frame["data"]["values"]
            and site.backstage("board")["nodes"] == 1
        ),
        WITHIN_S,
    )
    assert site.backstage("board")["holder"] == site.backstage("board")["members"][0]
    site.servers[0] = Server(site.installation).wait()  # for the tests that come after
