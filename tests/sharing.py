"""Which worker of pytest-xdist runs which module (`--dist loadfile`).

Some folders have servers that all of their modules share, started once in each worker that gets one
of these: such a folder stays with one worker, and others help only when nothing else is left.
"""

from collections.abc import Sequence

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling
from xdist.workermanage import WorkerController

# The longest first: what begins late ends late.
SHARING = ("tests/sockets", "tests/ai", "tests/promises")
# What takes longest of the rest, though it has few tests.
LONG = ("tests/browser", "tests/fleet", "tests/search", "tests/server", "tests/commands")


class Sharing(LoadFileScheduling):  # type: ignore[misc] # it has no types
    """As its base, but for the order."""

    def _assign_work_unit(self, node: WorkerController) -> None:
        scope = min(self.workqueue, key=lambda scope: self._place(node, scope))
        self.workqueue.move_to_end(scope, last=False)
        super()._assign_work_unit(node)

    def _place(self, node: WorkerController, scope: str) -> tuple[int, int]:
        """What the node is to take first; of equals, the one with the most tests."""
        folder = _within(scope, SHARING)
        if folder is None:
            long = _within(scope, LONG)
            return (2, 0 if long is None else -1)
        holders = [
            each
            for each, units in self.assigned_work.items()
            if any(_within(unit, (folder,)) for unit in units)
        ]
        if node in holders:
            return (0, 0)
        return (3 if holders else 1, SHARING.index(folder))


def _within(scope: str, folders: Sequence[str]) -> str | None:
    return next((folder for folder in folders if scope.startswith(f"{folder}/")), None)


def scheduler(config: pytest.Config, log: Producer) -> Sharing | None:
    """For the hook `pytest_xdist_make_scheduler`."""
    return Sharing(config, log) if config.getvalue("dist") == "loadfile" else None
