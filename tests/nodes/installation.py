"""A data folder with a database of its own, and the commands that run on it."""

import json
import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from tests.nodes.template import copy_sqlite, create_postgres, on_server

ROOT = Path(__file__).resolve().parent.parent.parent
COMMAND_TIMEOUT_S = 60
# What the suite itself runs on must not steer the servers, but for the kind of database.
_NOT_INHERITED = ("DATABASE_URL", "REDIS_URL", "DATA_DIR", "DJANGO_SETTINGS_MODULE")


@dataclass(frozen=True)
class Installation:
    """`environment` is what its processes run with; change a variable per process, not here."""

    environment: dict[str, str]

    def command(self, *arguments: str) -> list[str]:
        """How to run `python ARGUMENTS`; for `subprocess`, with `process_options`."""
        return [sys.executable, *arguments]

    def process_options(self, **variables: str) -> dict[str, Any]:
        return {"cwd": ROOT, "env": {**self.environment, **variables}, "text": True}

    def manage(self, *arguments: str, **variables: str) -> str:
        """Run a command of `manage.py` to its end; its standard output."""
        done = subprocess.run(
            self.command("manage.py", *arguments),
            **self.process_options(**variables),
            capture_output=True,
            timeout=COMMAND_TIMEOUT_S,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return str(done.stdout)

    def demo(self) -> dict[str, Any]:
        """Make the demo; what `manage.py demo --json` says of it, new keys included."""
        found: dict[str, Any] = json.loads(self.manage("demo", "--json", "--new-keys"))
        return found


@contextmanager
def temporary_installation(folder: Path, **variables: str) -> Iterator[Installation]:
    """In `folder`, on the kind of database that the suite runs on, migrated where pytest runs.

    With DATABASE_URL set this is a new database on the same PostgreSQL, dropped at the end:
    the suite's own test database is rolled back and flushed under the feet of any server.
    """
    kept = {name: value for name, value in os.environ.items() if name not in _NOT_INHERITED}
    environment = {
        **kept,
        "DATA_DIR": str(folder),
        "DJANGO_SETTINGS_MODULE": "pm_project.settings",
        "PYTHONUNBUFFERED": "1",
        **variables,
    }
    suite_url = os.environ.get("DATABASE_URL", "")
    if not suite_url.startswith("postgres"):
        copy_sqlite(folder, environment)
        yield Installation(environment)
        return
    name = f"pm_{uuid.uuid4().hex[:12]}"
    create_postgres(suite_url, name, environment)
    own_url = urlunsplit(urlsplit(suite_url)._replace(path=f"/{name}"))
    try:
        yield Installation({**environment, "DATABASE_URL": own_url})
    finally:
        on_server(suite_url, "DROP DATABASE {} WITH (FORCE)", name)
