"""All of it as it runs: a server, a worker, and a client that is told while it looks on."""

import uuid
from pathlib import Path

import pytest

from tests.nodes.backstage import Backstage
from tests.nodes.client import Client
from tests.nodes.installation import temporary_installation
from tests.nodes.server import Server, running
from tests.nodes.worker import WorkerProcess, working


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("context")


def test_client_sees_the_analysis_of_its_message(folder: Path) -> None:
    """Signals while it goes on, one completion, and nothing that came before its message."""
    with (
        temporary_installation(folder, CONTEXT_ENGINE="true") as installation,
        Backstage(installation) as backstage,
    ):
        team = backstage("team")
        ada = team["people"]["ada"]
        stream = f"project.{team['project']}"
        with (
            running(Server(installation)) as (server,),
            working(WorkerProcess(installation)),
            Client(f"{server.ws}/ws", authorization=f"Api-Key {ada['key']}") as client,
        ):
            path = f"/api/projects/{team['project']}/memories/"
            issue = {"title": "Large uploads fill the memory", "kind": "issue"}
            made = server.request("POST", path, authorization=f"Api-Key {ada['key']}", json=issue)
            assert made.status_code == 201, made.text
            client.greeted()
            client.ok("subscribe", stream=stream, snapshot=True)
            said = client.ok(
                "send_message",
                stream=stream,
                body="uploads too large?",
                client_ref=uuid.uuid4().hex,
            )["message"]["id"]
            done = client.wait_for("context_analysis_complete", 10)["data"]
            assert done["message"] == said
            assert done["errors"] == []
            similar = client.wait_for("similar_issues_found")["data"]
            assert [one["memory"] for one in similar["issues"]] == [made.json()["id"]]
            assert client.wait_for("context_summary_updated")["data"]["summary"]
            # Hubs join signals for 40 ms, events not at all: signals may come behind their end.
            for name in ("context_analysis_progress", "key_terms_extracted"):
                assert client.wait_for(name)["data"]["message"] == said
            kinds = [frame.get("type") for frame in client.frames]
            first = kinds.index("new_message")
            for name in ("context_analysis_progress", "key_terms_extracted"):
                assert kinds.index(name) > first
            assert kinds.count("context_analysis_complete") == 1
