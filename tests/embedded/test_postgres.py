"""The PostgreSQL for tests: durable like production, and gone with whoever started it."""

import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import psutil
import psycopg
import pytest

from tests.embedded.waiting import gone, wait_for
from tests.postgres import temporary_postgres

ROOT = Path(__file__).resolve().parents[2]


def setting(connection: psycopg.Connection, name: str) -> str:
    row = connection.execute("SELECT current_setting(%s)", [name]).fetchone()
    assert row is not None
    return str(row[0])


def run(*command: str, options: tuple[str, ...] = ()) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.postgres", *options, "--", *command],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def postmaster_pid(data: Path) -> int:
    return int((data / "postmaster.pid").read_text().splitlines()[0])


def test_server_is_durable_and_removed_afterwards() -> None:
    """An empty database on a server with fsync on; nothing of it stays."""
    with temporary_postgres() as url, psycopg.connect(url) as connection:
        data = Path(setting(connection, "data_directory"))
        assert setting(connection, "fsync") == "on"
        assert setting(connection, "synchronous_commit") == "on"
        assert setting(connection, "max_connections") == "400"
        assert connection.execute("SELECT current_database()").fetchone() == ("pm",)
        pid = postmaster_pid(data)
    assert gone(pid)
    assert not data.parent.exists()


@pytest.mark.parametrize(("options", "fsync"), [((), "on"), (("--no-fsync",), "off")])
def test_command_gets_the_url_and_its_status_is_ours(options: tuple[str, ...], fsync: str) -> None:
    """The command's exit status is forwarded, its database is real."""
    code = (
        "import os, sys, psycopg;"
        "print(psycopg.connect(os.environ['DATABASE_URL']).execute('SHOW fsync').fetchone()[0]);"
        "sys.exit(7)"
    )
    process = run(sys.executable, "-c", code, options=options)
    output, errors = process.communicate(timeout=30)
    assert (process.returncode, output, errors) == (7, f"{fsync}\n", "")


def test_missing_command_is_explained() -> None:
    """A command that does not exist is told before a server is made."""
    process = run("no-such-command")
    _output, errors = process.communicate(timeout=30)
    assert process.returncode == 2
    assert "expected -- COMMAND" in errors


def test_killed_runner_leaves_no_process_and_its_folder_is_swept() -> None:
    """kill -9 of the runner ends server and command; the next run removes the folder."""
    code = (
        "import os, sys, psycopg;"
        "connection = psycopg.connect(os.environ['DATABASE_URL']);"
        "print(connection.execute('SHOW data_directory').fetchone()[0], flush=True);"
        "sys.stdin.read()"
    )
    with ExitStack() as stack:
        process = run(sys.executable, "-c", code)
        stack.callback(process.communicate)
        stack.callback(process.kill)
        assert process.stdout is not None
        data = Path(process.stdout.readline().strip())
        descendants = psutil.Process(process.pid).children(recursive=True)
        assert postmaster_pid(data) in {child.pid for child in descendants}
        process.kill()
        wait_for(
            lambda: all(gone(child.pid) for child in descendants), what="the end of all processes"
        )
    assert data.parent.exists()
    with temporary_postgres():
        assert not data.parent.exists()
