"""SQLite's log is copied into the database's file every few seconds, by a thread of its own in each
serving process and worker. Without one, as in a command, SQLite does it inside a commit, later."""

import asyncio
import logging
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from django.db import DEFAULT_DB_ALIAS, connections

from realtime.backends.sqlite3.checkpoints import Checkpoints

# Between two copies: as long as SQLite's own 1,000 pages take to come, within these bounds.
SHORTEST_S, LONGEST_S = 0.25, 2.0
PAGES = 1_000

logger = logging.getLogger(__name__)


async def keep_checkpointed(_: object = None) -> None:
    """A background of each node and worker; nothing where the database is not SQLite."""
    settings = connections.settings[DEFAULT_DB_ALIAS]
    if not str(settings["ENGINE"]).endswith("sqlite3"):
        return
    checkpoints = Checkpoints(Path(settings["NAME"]))
    # Not one of the database's: a checkpoint may wait for the disk for long.
    thread = ThreadPoolExecutor(1, "realtime-checkpoints")
    loop = asyncio.get_running_loop()
    pause_s = SHORTEST_S
    try:
        while True:
            await asyncio.sleep(pause_s)
            try:
                if not checkpoints.due():
                    continue
                pages = await loop.run_in_executor(thread, checkpoints.take)
                pause_s = min(LONGEST_S, max(SHORTEST_S, pause_s * PAGES / max(pages, 1)))
            except (OSError, sqlite3.Error) as error:
                # SQLite goes on without: at the next bound a commit does it.
                logger.warning("log of SQLite not copied: %s", error)
    finally:
        # Behind a copying under way; the connection belongs to the thread.
        thread.submit(checkpoints.close)
        thread.shutdown(wait=False)
