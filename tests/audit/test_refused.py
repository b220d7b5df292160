"""Refused connections on a real server: their entries appear, and the log verifies."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.nodes.backstage import Backstage
from tests.nodes.client import Client
from tests.nodes.installation import Installation, temporary_installation
from tests.nodes.server import Server, running, wait_until


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    with temporary_installation(Path(tmp_path_factory.mktemp("audit"))) as found:
        yield found


@pytest.fixture(scope="module")
def backstage(installation: Installation) -> Iterator[Backstage]:
    with Backstage(installation) as found:
        yield found


@pytest.fixture(scope="module")
def node(installation: Installation, backstage: Backstage) -> Iterator[Server]:
    backstage("head", stream="system")  # migrated
    with running(Server(installation)) as (found,):
        yield found


def entries(backstage: Backstage, **wanted: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = backstage("audit_entries", **wanted)
    return found


def test_refused_connections_are_recorded(
    installation: Installation, backstage: Backstage, node: Server
) -> None:
    """A wrong key twice, a foreign origin, a project that is not theirs; within a second or so."""
    sam = backstage("person", name="Sam")
    for _ in range(2):
        with Client(f"{node.ws}/ws", authorization="Api-Key pm_wrong-secret") as client:
            assert client.closed()[0] == 4401
    with Client(f"{node.ws}/ws", origin="http://evil.example") as client:
        assert client.closed()[0] == 4403
    key = f"Api-Key {sam['key']}"
    with Client(f"{node.ws}/ws/projects/999", authorization=key) as client:
        assert client.closed()[0] == 4403

    def all_there() -> bool:
        found = entries(backstage, action="connection_refused")
        times = [int(json.loads(one["details"]).get("times", 1)) for one in found]
        return sum(times) == 4

    wait_until(all_there, "four refusals", 10.0)
    found = entries(backstage, action="connection_refused")
    wrong = next(one for one in found if one["result"] == "4401")
    assert wrong["address"] == "127.0.0.1"
    assert wrong["target"] == "/ws"
    assert "secret" not in json.dumps(found)
    strange = next(one for one in found if one["target"] == "/ws/projects/999")
    assert (strange["actor"], strange["result"]) == (sam["id"], "4403")
    assert "are as they were written" in installation.manage("verify_audit")


def test_sign_in_by_http_has_its_address(backstage: Backstage, node: Server) -> None:
    """Through the asynchronous stack of middleware and its threads."""
    ada = backstage("person", name="Ada", password="right")
    given = {"username": ada["username"], "password": "right"}
    assert node.request("POST", "/api/sessions/", json=given).status_code == 201
    [entry] = entries(backstage, action="sign_in", actor=ada["id"])
    assert (entry["result"], entry["address"]) == ("done", "127.0.0.1")
