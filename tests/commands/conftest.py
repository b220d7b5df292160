"""Commands are run in this process where that is enough, else as `manage.py` would be."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from realtime.models import Installation, Stream

ROOT = Path(__file__).resolve().parents[2]
Manage = Callable[..., "subprocess.CompletedProcess[str]"]


def manage_environment(data_dir: Path, **variables: str) -> dict[str, str]:
    """A new installation on SQLite, whatever database the tests themselves run on."""
    return {
        **os.environ,
        "DATA_DIR": str(data_dir),
        "DATABASE_URL": "",
        "DEBUG": "true",
    } | variables


@pytest.fixture
def manage(tmp_path: Path) -> Manage:
    """`manage.py` in a process of its own, on a data folder of its own."""

    def run(*arguments: str, **variables: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env=manage_environment(tmp_path, **variables),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run


@pytest.fixture
def demonstrating(settings: Any, db: None, tmp_path: Path) -> None:
    """DEBUG on (pytest turns it off), its own data folder, quick passwords, a whole log."""
    settings.DEBUG = True
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    settings.PM = settings.PM.model_copy(update={"data_dir": tmp_path})
    # What the migrations leave behind, also after a test that flushed the database.
    Installation.objects.get_or_create(pk=1)
    for name in ("status", "system"):
        Stream.objects.get_or_create(name=name)
