"""A worker process (`manage.py work`), with its log kept."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from tests.nodes.installation import Installation
from tests.nodes.process import LoggedProcess, running

_WORKING = re.compile(r"^Working as (\S+)$", re.MULTILINE)


class WorkerProcess(LoggedProcess):
    """Started by the constructor; `wait` until it takes jobs."""

    def __init__(self, installation: Installation, **variables: str) -> None:
        super().__init__(installation, ("manage.py", "work"), _WORKING, **variables)


@contextmanager
def working(worker: WorkerProcess) -> Iterator[WorkerProcess]:
    """Once it takes jobs; stopped afterwards, and it may not have logged a traceback."""
    with running(worker) as (found,):
        yield found
