"""Checkpoints of SQLite's write-ahead log, taken beside the commits instead of inside of one.

By itself SQLite takes one whenever the log has 1,000 pages, in the commit that brings it there:
somebody's message then waits for hundreds of writes and two syncs. Here the bulk is copied while
others write, and only what came meanwhile, a few pages, while this process's writers wait: without
that the log would never be at its end, and would grow for as long as somebody writes.
"""

import sqlite3
from contextlib import closing
from pathlib import Path

from realtime.backends.sqlite3.turns import turn

# Below it the log is left alone: as many pages as SQLite itself would wait for.
ENOUGH_BYTES = 4_194_304
SHORT_PAGES = 200  # so few are copied while writers wait
ROUNDS = 3  # of copying, after which what is left is taken as it is
TURN_TIMEOUT_S = 0.25  # behind whoever writes just now


class Checkpoints:
    """Of the database in this file. Used by one thread at a time, which is the one that closes."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._log = Path(f"{path}-wal")
        self._connection: sqlite3.Connection | None = None
        self._seen_ns = 0  # the log's last change when it was copied

    def due(self) -> bool:
        """Whether the log has been written to since it was last copied, and is long. Costs a
        `stat`. A log that begins anew keeps its length, so the length alone does not tell."""
        try:
            found = self._log.stat()
        except FileNotFoundError:
            return False
        return found.st_size >= ENOUGH_BYTES and found.st_mtime_ns != self._seen_ns

    def take(self) -> int:
        """Copy the log, so that the next writer begins it anew where nobody reads from it; how many
        pages it had. Raises OSError, sqlite3.Error.
        """
        pages = 0
        for _ in range(ROUNDS):
            former, pages = pages, self._copied("PASSIVE")
            if pages - former <= SHORT_PAGES:
                break
        if self._log.stat().st_mtime_ns == self._seen_ns:
            return pages
        if not turn.acquire(timeout=TURN_TIMEOUT_S):
            return pages
        try:
            # Nor does another process write meanwhile; where one does already, it is as above.
            return self._copied("FULL")
        finally:
            turn.release()

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _copied(self, mode: str) -> int:
        if self._connection is None:
            self._connection = sqlite3.connect(self._path, timeout=0, isolation_level=None)
            self._connection.execute("PRAGMA synchronous=FULL")
        self._seen_ns = self._log.stat().st_mtime_ns
        with closing(self._connection.execute(f"PRAGMA wal_checkpoint({mode})")) as cursor:
            _, pages, _ = cursor.fetchone()
        return int(pages)
