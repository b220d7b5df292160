"""`manage.py serve` as a person runs it: real processes on a data folder of its own."""

import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psutil
import pytest
from django.core.management import CommandError, call_command

from realtime.embedded.valkey import EmbeddedValkey, socket_path
from realtime.server.listener import open_listener
from tests.embedded.waiting import gone, wait_for
from tests.nodes.template import copy_sqlite

ROOT = Path(__file__).resolve().parents[2]


def environment(data_dir: Path) -> dict[str, str]:
    """The embedded set-up, whatever the suite itself runs on."""
    steering = {"DATABASE_URL", "REDIS_URL", "DJANGO_SETTINGS_MODULE"}
    kept = {name: value for name, value in os.environ.items() if name not in steering}
    return kept | {"DATA_DIR": str(data_dir), "DRAIN_WINDOW": "1"}


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated data folder; the tests of this module use it one after another."""
    folder = tmp_path_factory.mktemp("data")
    copy_sqlite(folder, environment(folder))
    return folder


@pytest.fixture
def handlers() -> Iterator[None]:
    """The command sets handlers of signals; those of this process come back."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def start(
    stack: ExitStack, data_dir: Path, *options: str, **variables: str
) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "manage.py", "serve", *options],
        cwd=ROOT,
        env={**environment(data_dir), **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    stack.enter_context(process)
    stack.callback(process.kill)
    return process


def listening_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def http_status(address: str) -> int:
    request = urllib.request.Request(address, headers={"Host": "127.0.0.1"})
    try:
        with urllib.request.urlopen(request, timeout=10) as response:
            return int(response.status)
    except urllib.error.HTTPError as error:
        error.close()
        return error.code


@pytest.mark.parametrize(("workers", "noun"), [("1", "worker"), ("2", "workers")])
def test_serves_says_where_and_stops_with_status_0(
    data_dir: Path, stack: ExitStack, workers: str, noun: str
) -> None:
    """One line when clients may come; SIGTERM ends it in order and leaves no process."""
    process = start(stack, data_dir, "--port", "0", "--workers", workers)
    line = listening_line(process)
    address = line.split()[2]
    assert line == f"Listening on {address} ({workers} {noun})"
    assert address.startswith("http://127.0.0.1:")
    assert http_status(address) < 500
    pids = [child.pid for child in psutil.Process(process.pid).children(recursive=True)]
    process.send_signal(signal.SIGTERM)
    _output, errors = process.communicate(timeout=15)
    assert process.returncode == 0, errors
    assert "Traceback" not in errors
    wait_for(lambda: all(gone(pid) for pid in pids), timeout_s=10, what="the end of all processes")
    assert not socket_path(data_dir).exists()


def test_killed_serve_leaves_no_process(data_dir: Path, stack: ExitStack) -> None:
    """kill -9 of the command takes workers of both kinds and Valkey along."""
    process = start(stack, data_dir, "--port", "0", "--workers", "2", WORKER="true")
    assert listening_line(process).startswith("Listening on ")
    served = psutil.Process(process.pid)
    wait_for(
        lambda: any("work" in child.cmdline() for child in served.children()),
        timeout_s=10,
        what="the worker for jobs",
    )
    children = served.children(recursive=True)
    assert "valkey-server" in {child.name() for child in children}
    process.kill()
    wait_for(
        lambda: all(gone(child.pid) for child in children),
        timeout_s=10,
        what="the end of all processes",
    )


def test_busy_port_is_one_clear_line(data_dir: Path, stack: ExitStack) -> None:
    """Status 1, the port and how to choose another, no traceback, nothing left behind."""
    listener = stack.enter_context(open_listener("127.0.0.1", 0))
    port = listener.getsockname()[1]
    process = start(stack, data_dir, "--port", str(port))
    output, errors = process.communicate(timeout=20)
    assert process.returncode == 1
    assert output == ""
    assert len(errors.splitlines()) == 1
    assert f"port {port} on 127.0.0.1 is in use" in errors
    assert "--port" in errors
    assert not EmbeddedValkey(data_dir).answers()


@pytest.mark.parametrize(
    ("option", "value", "expected"),
    [
        ("--workers", "0", "--workers: expected a number from 1 to 128, got '0'"),
        (
            "--port",
            "70000",
            "--port: expected a port from 1 to 65535, or 0 for a free one, got '70000'",
        ),
        (
            "--port",
            "9" * 5000,
            "--port: expected a port from 1 to 65535, or 0 for a free one, got '999",
        ),
        (
            "--host",
            "no.such.invalid",
            "HOST: expected an address to listen on, got no.such.invalid: ",
        ),
        ("--host", "192.0.2.1", "HOST: expected an address of this machine, got 192.0.2.1: "),
    ],
)
def test_wrong_options_are_one_sentence(
    handlers: None, settings: Any, option: str, value: str, expected: str
) -> None:
    """What was expected and what was got: no usage before it."""
    settings.PM = settings.PM.model_copy(update={"debug": True})  # on purpose
    with pytest.raises(CommandError) as refused:
        call_command("serve", "--port", "0", option, value)
    assert refused.value.returncode in {1, 2}
    assert str(refused.value).startswith(expected)
    assert "\n" not in str(refused.value)


def test_wrong_option_ends_the_process_with_its_sentence(data_dir: Path, stack: ExitStack) -> None:
    """Status 2, and no traceback."""
    process = start(stack, data_dir, "--workers", "many")
    output, errors = process.communicate(timeout=20)
    assert process.returncode == 2
    assert output == ""
    assert errors == "CommandError: --workers: expected a number from 1 to 128, got 'many'\n"


def test_skip_embedded_leaves_valkey_to_others(data_dir: Path, stack: ExitStack) -> None:
    """Another process keeps the server; this one neither starts nor stops it."""
    valkey = EmbeddedValkey(data_dir)
    stack.callback(valkey.close)
    valkey.ensure()
    process = start(stack, data_dir, "--port", "0", "--skip-embedded")
    assert listening_line(process).startswith("Listening on ")
    assert "valkey-server" not in {
        child.name() for child in psutil.Process(process.pid).children(recursive=True)
    }
    process.terminate()
    assert process.wait(15) == 0
    assert valkey.answers()


def test_debug_is_not_served_to_others_unasked(data_dir: Path, stack: ExitStack) -> None:
    """DEBUG by default is for one machine: listening beyond it needs DEBUG to be set on purpose."""
    process = start(stack, data_dir, "--host", "0.0.0.0", "--port", "0")
    output, errors = process.communicate(timeout=20)
    assert process.returncode == 1
    assert output == ""
    assert "DEBUG: expected to be set on purpose" in errors
    assert "Traceback" not in errors
