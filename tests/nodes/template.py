"""A migrated database, made once in a run of pytest and copied for each installation of its tests.

Migrating takes every new installation seconds of CPU, a copy none. Outside pytest there is none:
whoever starts first migrates.
"""

import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
from psycopg import sql

ROOT = Path(__file__).resolve().parent.parent.parent
MIGRATE_TIMEOUT_S = 120
# Where the run keeps what it makes; the workers of pytest-xdist inherit it.
_FOLDER = "TEST_TEMPLATES"
_SQLITE = "db.sqlite3"


@contextmanager
def templates_of_this_run() -> Iterator[None]:
    """Around all tests, in the process that starts the others."""
    with tempfile.TemporaryDirectory(prefix="pm-templates-") as folder:
        os.environ[_FOLDER] = folder
        try:
            yield
        finally:
            del os.environ[_FOLDER]
            name = Path(folder) / "postgres"
            if name.exists():
                on_server(name.read_text(), "DROP DATABASE IF EXISTS {}", _postgres_name(folder))


def copy_sqlite(folder: Path, environment: Mapping[str, str]) -> None:
    """The migrated file into the data folder, unless there are no templates or it has one."""
    if (kept := os.environ.get(_FOLDER)) is None or (folder / _SQLITE).exists():
        return
    template = Path(kept) / _SQLITE
    with _alone(kept):
        if not template.exists():
            with tempfile.TemporaryDirectory(prefix="making-", dir=kept) as made:
                _migrate({**environment, "DATA_DIR": made})
                (Path(made) / _SQLITE).rename(template)
    shutil.copyfile(template, folder / _SQLITE)


def create_postgres(suite_url: str, name: str, environment: Mapping[str, str]) -> None:
    """A database of that name on the suite's server: migrated, or empty without templates."""
    if (kept := os.environ.get(_FOLDER)) is None:
        on_server(suite_url, "CREATE DATABASE {}", name)
        return
    template, made = _postgres_name(kept), Path(kept) / "postgres"
    with _alone(kept):
        if not made.exists():
            on_server(suite_url, "DROP DATABASE IF EXISTS {}", template)  # half made
            on_server(suite_url, "CREATE DATABASE {}", template)
            own_url = urlsplit(suite_url)._replace(path=f"/{template}").geturl()
            with tempfile.TemporaryDirectory(dir=kept) as folder:
                _migrate({**environment, "DATA_DIR": folder, "DATABASE_URL": own_url})
            made.write_text(suite_url)
        # One after the other: a template that is being copied is in use.
        on_server(suite_url, "CREATE DATABASE {} TEMPLATE {}", name, template)


def on_server(url: str, statement: str, *names: str) -> None:
    """One statement outside any transaction, with these identifiers in it."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))


def _postgres_name(folder: str) -> str:
    return f"pm_{Path(folder).name[-8:].lower()}_template"


@contextmanager
def _alone(folder: str) -> Iterator[None]:
    """One process of the run at a time."""
    with (Path(folder) / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _migrate(environment: Mapping[str, str]) -> None:
    subprocess.run(
        [sys.executable, "manage.py", "migrate", "--verbosity", "0"],
        cwd=ROOT,
        env=environment,
        timeout=MIGRATE_TIMEOUT_S,
        check=True,
    )
