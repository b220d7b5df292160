"""A server under measurement: started on its own core, with the CPU and memory of its processes."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from bench.child import child
from bench.peers.peer import Peer, Place

ROOT = Path(__file__).resolve().parent.parent
START_LIMIT_S = 30.0
STOP_LIMIT_S = 15.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def accepts(port: int) -> bool:
    """Whether somebody listens there."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def _cpu_s(pid: int) -> float:
    """Of all threads, ended ones too, in nanoseconds where `/proc` has hundredths of a second: the
    clock that clock_getcpuclockid(3) names, CPUCLOCK_SCHED of the process. 0 when it has ended."""
    try:
        return time.clock_gettime(~pid << 3 | 2)
    except OSError:
        return 0.0


class Server:
    """A running server of a peer; all figures are of its process and all below it."""

    def __init__(self, peer: Peer, place: Place, *, core: int | None) -> None:
        self.peer = peer
        self.place = place
        self.core = core
        self._log = place.folder / f"{peer.name}.log"
        with self._log.open("ab") as log:
            self._popen = subprocess.Popen(
                list(peer.command(place)),
                cwd=ROOT,
                env={**os.environ, **peer.variables(place)},
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # ended as a whole
                preexec_fn=child(core),  # noqa: PLW1509
            )
        self._process = psutil.Process(self._popen.pid)
        self._wait()

    def _wait(self) -> None:
        deadline = time.monotonic() + START_LIMIT_S
        while not accepts(self.place.port):
            if self._popen.poll() is not None or time.monotonic() > deadline:
                self.kill()
                raise RuntimeError(
                    f"expected {self.peer.name} to listen on {self.place.port} within "
                    f"{START_LIMIT_S:.0f} s, got: {self.log_end}"
                )
            time.sleep(0.05)

    @property
    def log_end(self) -> str:
        return self._log.read_text(errors="replace")[-1000:]

    def _processes(self) -> list[psutil.Process]:
        return [self._process, *self._process.children(recursive=True)]

    def cpu_s(self) -> float:
        """User and system time until now. Raises RuntimeError when the server has ended."""
        if self._popen.poll() is not None:
            raise RuntimeError(f"expected {self.peer.name} to run, it ended: {self.log_end}")
        return sum(_cpu_s(process.pid) for process in self._processes())

    def rss_mb(self) -> float:
        """Resident memory in MiB."""
        return float(sum(one.memory_info().rss for one in self._processes())) / 2**20

    def stop(self) -> None:
        """As a supervisor does it, then without mercy."""
        if self._popen.poll() is None:
            self._popen.send_signal(signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                self._popen.wait(STOP_LIMIT_S)
        self.kill()

    def kill(self) -> None:
        """`kill -9` for everything that it started."""
        with suppress(ProcessLookupError):
            os.killpg(self._popen.pid, signal.SIGKILL)
        self._popen.wait()


@contextmanager
def running(peer: Peer, place: Place, *, core: int | None) -> Iterator[Server]:
    """A server that has been stopped afterwards, however it went."""
    server = Server(peer, place, core=core)
    try:
        yield server
    finally:
        server.stop()
