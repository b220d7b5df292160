"""SQLite's log is copied beside the commits: it stays short, and nothing of it is lost."""

import asyncio
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest
from django.db import connection

from realtime import checkpointer
from realtime.backends.sqlite3 import checkpoints
from realtime.backends.sqlite3.checkpoints import Checkpoints
from realtime.backends.sqlite3.turns import turn

PAGE = 4096
LIMIT_S = 20.0
THREAD = "realtime-checkpoints"

# Prints each row's number once it is committed; copies its log all the while.
WRITER = """
import sqlite3, sys, threading
from pathlib import Path
from realtime.backends.sqlite3.checkpoints import Checkpoints
def copy():
    copies = Checkpoints(Path(sys.argv[1]))
    while True:
        copies.take()
rows = sqlite3.connect(sys.argv[1], isolation_level=None)
rows.execute("PRAGMA synchronous=FULL")
threading.Thread(target=copy, daemon=True).start()
for number in range(1_000_000):
    rows.execute("INSERT INTO one VALUES (?, randomblob(6000))", (number,))
    print(number, flush=True)
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "db.sqlite3"
    with closing(writer(path)) as made:
        made.execute("PRAGMA journal_mode=WAL")
        made.execute("CREATE TABLE one (number INTEGER, body BLOB)")
    return path


def writer(path: Path) -> sqlite3.Connection:
    """It takes no checkpoints of its own."""
    made = sqlite3.connect(path, isolation_level=None)
    made.execute("PRAGMA wal_autocheckpoint=0")
    return made


def write(rows: sqlite3.Connection, pages: int) -> None:
    for _ in range(pages):
        rows.execute("INSERT INTO one VALUES (0, randomblob(3000))")


def log_bytes(path: Path) -> int:
    return Path(f"{path}-wal").stat().st_size


def test_the_log_begins_anew_after_a_copy(path: Path) -> None:
    with closing(writer(path)) as rows, closing(Checkpoints(path)) as copies:
        write(rows, 100)
        assert copies.take() >= 100
        long = log_bytes(path)
        for _ in range(10):
            write(rows, 50)
            copies.take()
        assert log_bytes(path) == long


def test_the_log_stays_short_while_others_write(path: Path) -> None:
    """Bug: whatever came during a copy kept the log from beginning anew, for as long as somebody
    wrote."""
    over = threading.Event()

    def keep_writing() -> None:
        with closing(writer(path)) as rows:
            while not over.is_set():
                with turn:
                    write(rows, 1)

    writers = [threading.Thread(target=keep_writing) for _ in range(2)]
    with closing(writer(path)) as rows, closing(Checkpoints(path)) as copies:
        write(rows, 10)
        for one in writers:
            one.start()
        try:
            pages = [copies.take()]
            deadline = time.monotonic() + LIMIT_S
            # A copy of a log that has begun anew is shorter than the one before.
            while all(pages[at] <= pages[at + 1] for at in range(len(pages) - 1)):
                assert time.monotonic() < deadline, f"expected the log to begin anew, got {pages}"
                pages.append(copies.take())
        finally:
            over.set()
            for one in writers:
                one.join()


def test_it_is_due_when_a_long_log_has_changed(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copies = Checkpoints(path.with_name("none"))
    assert not copies.due()
    with closing(writer(path)) as rows, closing(Checkpoints(path)) as copies:
        write(rows, 10)
        assert not copies.due()
        monkeypatch.setattr(checkpoints, "ENOUGH_BYTES", 5 * PAGE)
        assert copies.due()
        copies.take()
        assert not copies.due()
        write(rows, 1)
        assert copies.due()


def test_a_reader_is_not_waited_for_and_keeps_what_it_sees(path: Path) -> None:
    with (
        closing(writer(path)) as rows,
        closing(sqlite3.connect(path, isolation_level=None)) as reader,
        closing(Checkpoints(path)) as copies,
    ):
        write(rows, 20)
        reader.execute("BEGIN")
        assert reader.execute("SELECT count(*) FROM one").fetchone() == (20,)
        write(rows, 20)
        copies.take()
        write(rows, 20)
        assert reader.execute("SELECT count(*) FROM one").fetchone() == (20,)
        reader.execute("COMMIT")
        assert reader.execute("SELECT count(*) FROM one").fetchone() == (60,)


def test_nothing_is_lost_when_the_process_is_killed(path: Path) -> None:
    for number in range(3):
        with closing(sqlite3.connect(path)) as rows:
            rows.execute("DELETE FROM one")
            rows.commit()
        with subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            told = [next(process.stdout) for _ in range(100 * (number + 1))]
            process.kill()
            told += process.stdout.readlines()
        if not told[-1].endswith("\n"):
            told.pop()
        with closing(sqlite3.connect(path)) as rows:
            assert rows.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            found = {key for (key,) in rows.execute("SELECT number FROM one")}
        assert found >= {int(line) for line in told}


def threads() -> list[threading.Thread]:
    return [one for one in threading.enumerate() if one.name.startswith(THREAD)]


@pytest.mark.skipif(connection.vendor != "sqlite", reason="SQLite's log")
@pytest.mark.django_db(transaction=True)
def test_the_background_copies_and_ends_with_its_node(monkeypatch: pytest.MonkeyPatch) -> None:
    connection.ensure_connection()
    taken: list[int] = []
    take = Checkpoints.take

    def noting(self: Checkpoints) -> int:
        taken.append(take(self))
        return taken[-1]

    monkeypatch.setattr(Checkpoints, "take", noting)
    monkeypatch.setattr(Checkpoints, "due", lambda _: True)
    monkeypatch.setattr(checkpointer, "SHORTEST_S", 0.01)

    async def life() -> None:
        background = asyncio.ensure_future(checkpointer.keep_checkpointed())
        async with asyncio.timeout(15):
            while not taken:
                await asyncio.sleep(0.01)
        background.cancel()
        await asyncio.wait([background])

    asyncio.run(life())
    for one in threads():
        one.join(15)
    assert threads() == []


@pytest.mark.skipif(connection.vendor == "sqlite", reason="all others")
def test_another_database_has_no_such_background() -> None:
    asyncio.run(asyncio.wait_for(checkpointer.keep_checkpointed(), 15))
    assert threads() == []
