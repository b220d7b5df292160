"""A process of an installation, with its log kept: from its start until it has ended."""

import re
import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Self, TypeVar

from tests.nodes.installation import Installation

START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 20.0


class LoggedProcess:
    """Started by the constructor; `wait` until a line of its log matches `ready`.

    `told` is the first group of that match. Its log is read all the time, so that no pipe is full.
    """

    def __init__(
        self,
        installation: Installation,
        command: Sequence[str],
        ready: re.Pattern[str],
        **variables: str,
    ) -> None:
        self.log: list[str] = []
        self.told = ""
        self._ready = ready
        self._said = threading.Event()
        self.process = subprocess.Popen(
            installation.command(*command),
            **installation.process_options(**variables),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        """Keep the pipe empty; the event is set by the line that says so, or by the end."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.log.append(line)
            if not self.told and (found := self._ready.search(line)) is not None:
                self.told = found[1]
                self._said.set()
        self._said.set()

    def wait(self) -> Self:
        assert self._said.wait(START_TIMEOUT_S), self.text
        assert self.told, self.text
        return self

    @property
    def text(self) -> str:
        return "".join(self.log)

    @property
    def traceback(self) -> str:
        """The log around its first traceback, empty when there is none."""
        found = [number for number, line in enumerate(self.log) if "Traceback" in line]
        return "".join(self.log[max(0, found[0] - 3) : found[0] + 40]) if found else ""

    def stop(self) -> int:
        """A planned stop, as a supervisor does it (SIGTERM); the exit status."""
        if self.process.poll() is None:
            self.process.terminate()
        try:
            self.process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise
        self._reader.join(STOP_TIMEOUT_S)
        return self.process.returncode

    def kill(self) -> None:
        """`kill -9`: nothing is flushed, handed back or told."""
        self.process.kill()
        self.process.wait()
        self._reader.join(STOP_TIMEOUT_S)


P = TypeVar("P", bound=LoggedProcess)


@contextmanager
def running(*processes: P) -> Iterator[tuple[P, ...]]:
    """Once all are ready; stopped afterwards, and none may have logged a traceback."""
    try:
        yield tuple(process.wait() for process in processes)
    finally:
        for process in reversed(processes):
            process.stop()
    for process in processes:
        assert not process.traceback, process.traceback
