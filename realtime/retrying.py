"""Running an action's transaction again when the database chose it as a victim."""

import random
import time
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from django.db import OperationalError, connection

from realtime.protocol.errors import Unavailable

P = ParamSpec("P")
T = TypeVar("T")

ATTEMPTS = 3
_RETRYABLE = {"40001", "40P01", "55P03"}  # serialization failure, deadlock, lock not available


def _retryable(error: OperationalError) -> bool:
    cause = error.__cause__
    return getattr(cause, "sqlstate", None) in _RETRYABLE or "database is locked" in str(error)


def retried(action: Callable[P, T]) -> Callable[P, T]:
    """Retry the action twice, with jitter, after a deadlock or a lock timeout.

    The action opens its own transaction; inside an outer one nothing is retried, because that
    transaction is lost already. Raises Unavailable when the last attempt fails so too.
    """

    @wraps(action)
    def run(*args: P.args, **kwargs: P.kwargs) -> T:
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return action(*args, **kwargs)
            except OperationalError as error:
                if connection.in_atomic_block or not _retryable(error):
                    raise
                if attempt == ATTEMPTS:
                    raise Unavailable(
                        "expected the lock within 2 s, got a busy database", retry_after_ms=1000
                    ) from error
                time.sleep(random.uniform(0, 0.05 * 2**attempt))
        raise AssertionError("unreachable: the last attempt returns or raises")

    return run
