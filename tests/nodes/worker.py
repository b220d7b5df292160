"""A worker process (`manage.py work`), with its log kept."""

import re
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from tests.nodes.installation import Installation

START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 20.0
_WORKING = re.compile(r"^Working as (\S+)$", re.MULTILINE)


class WorkerProcess:
    """Started by the constructor; `wait` until it takes jobs."""

    def __init__(self, installation: Installation, **variables: str) -> None:
        self.log: list[str] = []
        self._working = threading.Event()
        self.process = subprocess.Popen(
            installation.command("manage.py", "work"),
            **installation.process_options(**variables),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.log.append(line)
            if _WORKING.search(line):
                self._working.set()
        self._working.set()

    @property
    def text(self) -> str:
        return "".join(self.log)

    def wait(self) -> "WorkerProcess":
        assert self._working.wait(START_TIMEOUT_S), self.text
        assert _WORKING.search(self.text), self.text
        return self

    def stop(self) -> None:
        """A planned stop."""
        if self.process.poll() is None:
            self.process.terminate()
        try:
            self.process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise
        self._reader.join(STOP_TIMEOUT_S)

    def kill(self) -> None:
        """`kill -9`: nothing is handed back."""
        self.process.kill()
        self.process.wait()
        self._reader.join(STOP_TIMEOUT_S)


@contextmanager
def working(worker: WorkerProcess) -> Iterator[WorkerProcess]:
    """Once it takes jobs; stopped afterwards, and it may not have logged a traceback."""
    try:
        yield worker.wait()
    finally:
        worker.stop()
    assert "Traceback" not in worker.text, worker.text
