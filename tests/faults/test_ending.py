"""The faults themselves: a test that injects nothing would prove nothing."""

import signal
from pathlib import Path

import psutil

from tests.embedded.waiting import gone
from tests.faults.ending import kill_node
from tests.nodes.installation import temporary_installation
from tests.nodes.server import Server


def test_killed_node_is_gone_with_all_it_started(tmp_path: Path) -> None:
    """Supervisor, workers and Valkey, by SIGKILL, so that nobody could say goodbye."""
    with temporary_installation(tmp_path, DRAIN_WINDOW="0") as installation:
        command = ("manage.py", "serve", "--port", "0", "--workers", "2")
        server = Server(installation, command).wait()
        started = psutil.Process(server.process.pid).children(recursive=True)
        assert "valkey-server" in {process.name() for process in started}
        ended = kill_node(server)
    assert ended.status == -signal.SIGKILL
    assert len(started) > 2
    assert all(gone(process.pid) for process in started)
    assert "draining" not in server.text
