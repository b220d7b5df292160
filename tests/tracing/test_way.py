"""One request's way over two real servers and a worker, and what `manage.py trace` says of it."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from tests.nodes.backstage import Backstage
from tests.nodes.client import Client
from tests.nodes.installation import Installation, temporary_installation
from tests.nodes.room import Room
from tests.nodes.server import Server, running, wait_until
from tests.nodes.worker import WorkerProcess, working

UNKNOWN = "00000000-0000-4000-8000-000000000000"


@dataclass
class Site:
    """`first` owns the Valkey; the worker writes its log as JSON."""

    installation: Installation
    backstage: Backstage
    first: Server
    second: Server
    worker: WorkerProcess

    def trace(self, event: str) -> Any:
        return json.loads(self.installation.manage("trace", event, "--json"))

    def traced(self, event: str, *kinds: str) -> Any:
        """What is said once each of these steps is there."""
        found: list[Any] = []

        def complete() -> bool:
            found[:] = [self.trace(event)]
            return set(kinds) <= {step["kind"] for step in found[0]["steps"]}

        wait_until(complete, f"{kinds} of {event}", 20.0)
        return found[0]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with ExitStack() as stack:
        installation = stack.enter_context(
            temporary_installation(
                tmp_path_factory.mktemp("way"), REALTIME_TRACE="on", DRAIN_WINDOW="0"
            )
        )
        backstage = stack.enter_context(Backstage(installation))
        backstage("head", stream="system")  # answered once the database is there
        [first] = stack.enter_context(running(Server(installation)))
        [second] = stack.enter_context(running(Server(installation)))
        worker = stack.enter_context(working(WorkerProcess(installation, LOG_FORMAT="json")))
        yield Site(installation, backstage, first, second, worker)


def refused(installation: Installation, *arguments: str) -> str:
    """What the command says that refuses these."""
    done = subprocess.run(
        installation.command("manage.py", "trace", *arguments),
        **installation.process_options(),
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert done.stdout == ""
    return str(done.stderr)


def posted(site: Site, room: Room, **fields: Any) -> None:
    answer = httpx.post(
        f"{site.first.http}/api/projects/{room.project}/messages/",
        headers={"Authorization": room.authorization, "X-Request-ID": "request-77"},
        json={"body": "What was decided?", **fields},
        timeout=10,
    )
    assert answer.status_code in {200, 201}, answer.text
    assert answer.headers["X-Request-ID"] == "request-77"


def test_one_id_over_nodes_job_and_log_lines(site: Site) -> None:
    """Request on one server, reader on the other, the AI's answer by a worker: one id."""
    room = Room.made(site.backstage)
    with Client(f"{site.second.ws}/ws", authorization=room.authorization).greeted() as reader:
        reader.ok("subscribe", stream=room.stream)
        posted(site, room, ask_ai=True)
        frame = reader.wait_for_seq(room.stream, room.head + 1, 10.0)
        end = reader.wait_for("ai_processing_end", 30.0)
        reader.ok("ack", cursors={room.stream: end["seq"]})

        found = site.traced(frame["id"], "committed", "published", "received", "handed_out")
        assert found["event"] == f"{room.stream}:{room.head + 1}"
        assert found["correlation"] == "request-77"
        steps = {step["kind"]: step for step in found["steps"]}
        assert steps["committed"]["where"] == steps["published"]["where"]
        assert steps["received"]["where"] == steps["handed_out"]["where"]
        assert steps["received"]["where"] != steps["committed"]["where"]
        assert steps["received"]["detail"] == {"how": "hint"}
        assert steps["handed_out"]["detail"]["at_once"] == found["handed_out"] == 1
        moments = [steps[kind]["at"] for kind in ("committed", "received", "handed_out")]
        assert moments == sorted(moments)

        by_worker = site.traced(f"{room.stream}:{end['seq']}", "committed", "handed_out")
        assert by_worker["correlation"] == "request-77"
        assert site.worker.told.startswith(by_worker["steps"][0]["where"])
        wait_until(lambda: site.trace(frame["id"])["acknowledged"] == 1, "an acknowledgement", 15.0)
    lines = [json.loads(line) for line in site.worker.log if line.startswith("{")]
    [started] = [line for line in lines if line["event"] == "run started"]
    assert started["correlation"] == "request-77"
    assert isinstance(started["run"], int)


def test_command_on_a_socket_is_a_cause(site: Site) -> None:
    """Its id is the connection's and its own; the table shows the way."""
    room = Room.made(site.backstage)
    with Client(f"{site.first.ws}/ws", authorization=room.authorization).greeted() as writer:
        connection = writer.frames[0]["data"]["connection"]
        writer.ok("subscribe", stream=room.stream)
        fields = {"stream": room.stream, "body": "hello", "client_ref": "a"}
        seq = writer.ok("send_message", **fields)["seq"]
        event = f"{room.stream}:{seq}"
        found = site.traced(event, "committed", "published", "received", "handed_out")
        assert found["correlation"] == f"{connection}.2"
        [received] = [step for step in found["steps"] if step["kind"] == "received"]
        assert received["detail"] == {"how": "local"}
        rows = site.installation.manage("trace", event).splitlines()
    assert rows[0].endswith(f"correlation {connection}.2")
    words = [row.split()[0] for row in rows[1:]]
    assert words[0] == "committed"
    assert words[-1] == "acknowledged"
    assert any(row.startswith("handed out") and "to 1 reader " in row for row in rows)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("nonsense", "expected a position such as project.42:17 or an event's id"),
        ("project.1:99999999999999999999", "expected a position"),
        (UNKNOWN, "expected an event of the log"),
        ("project.999999:1", "expected an event of the log"),
        ("nowhere:1", "stream: expected project.<id>"),
    ],
)
def test_unknown_event_is_one_sentence(site: Site, given: str, said: str) -> None:
    """No traceback, exit status 1."""
    error = refused(site.installation, given)
    assert said in error
    assert error.count("\n") == 1


def test_why_there_are_no_steps_is_said(site: Site) -> None:
    """What the log knows is printed all the same."""
    room = Room.made(site.backstage)
    event = f"{room.stream}:{room.head}"
    site.backstage("forget_steps", event=event)
    manage = site.installation.manage
    assert "more than 20 events in that second" in manage("trace", event)
    off = manage("trace", event, REALTIME_TRACE="off")
    assert "tracing is off; set REALTIME_TRACE=on" in off
    assert off.splitlines()[1].startswith("committed")
    assert "REDIS_URL=memory:// there is none" in manage("trace", event, REDIS_URL="memory://")
    site.backstage("age_event", event=event, age_s=7200)
    assert "kept for an hour, and this event is older" in manage("trace", event)
