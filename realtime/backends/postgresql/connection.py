"""psycopg's connection, with the patience of whoever uses it.

Must not import Django or the rest of the project but `patience.py`: settings read this.
"""

import time
from typing import Any, TypeVar

import psycopg
from psycopg.abc import PQGen

from realtime.backends.postgresql.patience import present

T = TypeVar("T")


class PatientConnection(psycopg.Connection[Any]):
    """A connection of psycopg that gives up when the patience around it is at its end."""

    def wait(self, gen: PQGen[T], interval: float = 0.1, timeout: float | None = None) -> T:
        kept = present()
        if kept is None or timeout is not None:
            return super().wait(gen, interval, timeout)
        began = time.monotonic()
        try:
            return super().wait(gen, interval, max(kept.left_s, 0.0))
        except psycopg.errors._WaitTimeout as error:  # noqa: SLF001 - of the pinned version
            # Its next answer would be the one to this question.
            self.pgconn.finish()
            raise psycopg.OperationalError(
                "expected PostgreSQL to answer, got nothing for as long as may be waited"
            ) from error
        finally:
            kept.left_s -= time.monotonic() - began
