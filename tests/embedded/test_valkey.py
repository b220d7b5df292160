"""One server per data folder: owned, shared, taken over, and gone with its owner."""

import multiprocessing
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing
from multiprocessing.synchronize import Event
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import redis

from realtime.embedded import owned
from realtime.embedded import valkey as embedded
from realtime.embedded.endpoint import MAX_SOCKET_PATH_BYTES
from realtime.embedded.valkey import EmbeddedValkey, EmbeddedValkeyError, socket_path
from tests.embedded.waiting import gone, wait_for

ROOT = Path(__file__).resolve().parents[2]


def server_pid(data_dir: Path) -> int | None:
    """The pid of the server that answers for the folder, if one does."""
    with closing(redis.Redis(unix_socket_path=str(socket_path(data_dir)))) as client:
        try:
            return int(client.info("server")["process_id"])
        except redis.RedisError:
            return None


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def keep(stack: ExitStack, data_dir: Path) -> EmbeddedValkey:
    valkey = EmbeddedValkey(data_dir)
    stack.callback(valkey.close)
    valkey.ensure()
    return valkey


def hold(stack: ExitStack, data_dir: Path) -> tuple[subprocess.Popen[str], str]:
    """Another process that keeps the folder's server, and whether it is its owner or a guest."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.embedded.holder", str(data_dir)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    stack.enter_context(process)
    stack.callback(process.kill)
    assert process.stdout is not None
    return process, process.stdout.readline().strip()


def test_owner_serves_and_close_leaves_nothing(tmp_path: Path, stack: ExitStack) -> None:
    """The owner's server answers; close() ends it and removes its socket."""
    valkey = keep(stack, tmp_path)
    pid = server_pid(tmp_path)
    assert pid is not None
    assert valkey.owner
    valkey.close()
    assert gone(pid)
    assert not valkey.socket_path.exists()
    assert not valkey.answers()


def test_server_keeps_nothing_and_evicts_instead_of_failing(
    tmp_path: Path, stack: ExitStack
) -> None:
    """No port, no persistence, a bounded memory, and a socket that only we may open."""
    valkey = keep(stack, tmp_path)
    with closing(redis.Redis(unix_socket_path=str(valkey.socket_path))) as client:
        config = client.config_get("*")
    assert {name: config[name] for name in ("port", "save", "appendonly", "maxmemory-policy")} == {
        "port": "0",
        "save": "",
        "appendonly": "no",
        "maxmemory-policy": "allkeys-lru",
    }
    assert config["maxmemory"] == str(256 * 1024 * 1024)
    assert valkey.socket_path.stat().st_mode & 0o777 == 0o700


def test_second_process_is_a_guest_of_the_first(tmp_path: Path, stack: ExitStack) -> None:
    """Regression: without the lock a second server silently stole the socket of the first."""
    keep(stack, tmp_path)
    pid = server_pid(tmp_path)
    _process, role = hold(stack, tmp_path)
    assert role == "guest"
    assert server_pid(tmp_path) == pid


def test_guest_takes_over_when_the_owner_closes(tmp_path: Path, stack: ExitStack) -> None:
    """A planned stop of the owner hands the folder to a guest within a second or so."""
    owner = keep(stack, tmp_path)
    guest = keep(stack, tmp_path)
    pid = server_pid(tmp_path)
    assert not guest.owner
    owner.close()
    successor = wait_for(lambda: server_pid(tmp_path), timeout_s=10, what="a successor")
    assert successor != pid
    assert guest.owner


def test_guest_takes_over_when_the_owner_is_killed(tmp_path: Path, stack: ExitStack) -> None:
    """kill -9 of the owner ends its server, and the guest's answers in its place."""
    process, role = hold(stack, tmp_path)
    assert role == "owner"
    pid = server_pid(tmp_path)
    assert pid is not None
    guest = keep(stack, tmp_path)
    process.kill()
    wait_for(lambda: server_pid(tmp_path) not in {None, pid}, timeout_s=10, what="a successor")
    assert guest.owner
    assert gone(pid)


def test_takeover_outlives_the_thread_that_asked(tmp_path: Path, stack: ExitStack) -> None:
    """Regression: the parent-death signal fires when the *thread* that made the server ends."""
    _process, role = hold(stack, tmp_path)  # asks from a thread that has ended by now
    assert role == "owner"
    pid = server_pid(tmp_path)
    guest = keep(stack, tmp_path)
    assert not guest.owner
    assert server_pid(tmp_path) == pid


def test_killed_owner_leaves_no_server(tmp_path: Path, stack: ExitStack) -> None:
    """With no guest about, kill -9 of the owner leaves no process."""
    process, _role = hold(stack, tmp_path)
    pid = server_pid(tmp_path)
    assert pid is not None
    process.kill()
    wait_for(lambda: gone(pid), timeout_s=10, what="the end of the server")


def test_owner_that_exits_without_close_leaves_no_server(tmp_path: Path, stack: ExitStack) -> None:
    """An ordinary end of the process stops the server in an orderly way: its socket goes too."""
    process, _role = hold(stack, tmp_path)
    pid = server_pid(tmp_path)
    assert pid is not None
    process.communicate(timeout=5)
    assert process.returncode == 0
    assert gone(pid)
    assert not socket_path(tmp_path).exists()


def test_killed_server_is_restarted(tmp_path: Path, stack: ExitStack) -> None:
    """The owner replaces a killed server within about a second, without anybody asking."""
    keep(stack, tmp_path)
    pid = server_pid(tmp_path)
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: server_pid(tmp_path) not in {None, pid}, timeout_s=10, what="a new server")


def test_hung_server_is_replaced(
    tmp_path: Path, stack: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that is alive and silent is ended and replaced."""
    monkeypatch.setattr(embedded, "_PING_INTERVAL_S", 0.1)
    monkeypatch.setattr(embedded, "_MAX_MISSED_PINGS", 1)
    keep(stack, tmp_path)
    pid = server_pid(tmp_path)
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    wait_for(lambda: gone(pid), timeout_s=5, what="the end of the hung server")
    wait_for(lambda: server_pid(tmp_path), what="a new server")


def _hold_on(release: Event) -> None:
    release.wait(20)


def test_forked_child_does_not_keep_the_lock(tmp_path: Path, stack: ExitStack) -> None:
    """Regression: a forked child shares the lock, so it outlived its owner and nobody took over."""
    owner = keep(stack, tmp_path)
    release = multiprocessing.get_context("fork").Event()
    child = multiprocessing.get_context("fork").Process(target=_hold_on, args=(release,))
    child.start()
    stack.callback(child.join)
    stack.callback(release.set)
    owner.close()
    assert keep(stack, tmp_path).owner


def test_log_is_bounded(tmp_path: Path, stack: ExitStack, monkeypatch: pytest.MonkeyPatch) -> None:
    """A log that has grown is set aside while the server runs, and one old file is kept."""
    monkeypatch.setattr(embedded, "_PING_INTERVAL_S", 0.0)
    keep(stack, tmp_path)
    log = tmp_path / "valkey.log"
    with log.open("ab") as file:
        file.truncate(owned.MAX_LOG_BYTES + 1)
    wait_for((tmp_path / "valkey.log.1").exists, what="the old log")
    assert not log.exists() or log.stat().st_size < owned.MAX_LOG_BYTES


def test_long_and_odd_data_folder_works(
    tmp_path: Path, stack: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A path that no socket fits in gets a short one in a private folder."""
    monkeypatch.setattr("tempfile.tempdir", stack.enter_context(TemporaryDirectory()))
    data_dir = tmp_path / ("ä folder with 'quotes' " * 4) / "data"
    path = socket_path(data_dir)
    assert len(os.fsencode(path)) <= MAX_SOCKET_PATH_BYTES
    assert path.parent != data_dir
    valkey = keep(stack, data_dir)
    assert valkey.answers()
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert socket_path(tmp_path / "other") != path


def test_socket_folder_of_somebody_else_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The temporary folder is shared: a folder that others may enter is not used."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    (tmp_path / f"pm-valkey-{os.getuid()}").mkdir(mode=0o755)
    with pytest.raises(EmbeddedValkeyError, match=r"expected .* mode 0700, got .* mode 0755"):
        EmbeddedValkey(tmp_path / ("x" * 120)).ensure()


def test_unusable_data_folder_is_named(tmp_path: Path) -> None:
    """A data folder that is a file is said to be so, at once."""
    (tmp_path / "data").write_text("")
    with pytest.raises(EmbeddedValkeyError, match=r"expected a writable data folder, got: .*data"):
        EmbeddedValkey(tmp_path / "data").ensure()


def test_server_that_cannot_start_is_explained(
    tmp_path: Path, stack: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error carries the exit status and the last line of the server's log."""
    monkeypatch.setattr(
        EmbeddedValkey, "_options", lambda self: ["--port", "0", "--no-such-option", "1"]
    )
    valkey = EmbeddedValkey(tmp_path)
    stack.callback(valkey.close)
    with pytest.raises(EmbeddedValkeyError, match="exit status 1"):
        valkey.ensure(timeout_s=5)
