"""What every process of a measurement does between fork and exec: take its core, end with us."""

import os
import signal
from collections.abc import Callable
from contextlib import suppress

from realtime.embedded.lifetime import die_with_parent


def child(core: int | None, *, priority: int = 0) -> Callable[[], None]:
    """For `preexec_fn`: pinned to `core` (None: to none), killed when this process dies however it
    does. A `priority` below 0 is left out where it is not allowed: it sharpens a measurement and is
    no condition of one. Done here and not by `taskset`, which would be one more thing to have."""
    parent = os.getpid()

    def settle() -> None:
        die_with_parent(parent, signal.SIGKILL)
        if core is not None:
            os.sched_setaffinity(0, {core})
        with suppress(PermissionError):
            os.nice(priority)

    return settle
