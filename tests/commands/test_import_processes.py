"""`manage.py import_issues` beside other processes: one that kills it, one that serves."""

import json
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from itertools import islice
from pathlib import Path

from websockets.sync.client import connect

from tests.commands.conftest import ROOT, Manage, manage_environment
from tests.commands.reports import SAMPLE, report
from tests.embedded.waiting import wait_for
from tests.nodes.template import copy_sqlite


def test_killed_import_is_finished_by_the_next(manage: Manage, tmp_path: Path) -> None:
    """kill -9 while it waits for more input: whole batches are in, the rest follows, none twice."""
    copy_sqlite(tmp_path, manage_environment(tmp_path))
    assert manage("demo", "--json").returncode == 0
    fifo = tmp_path / "reports"
    os.mkfifo(fifo)
    running = subprocess.Popen(
        [sys.executable, "manage.py", "import_issues", str(fifo), "--project=1", "--batch-size=4"],
        cwd=ROOT,
        env=manage_environment(tmp_path),
        stderr=subprocess.DEVNULL,
    )
    lines = [json.dumps(report(n)) + "\n" for n in range(10)]
    try:
        with fifo.open("w") as file:
            file.writelines(lines[:6])
            # Small lines wait in the reader's buffer until it is full; blank ones fill it.
            file.write("\n" * 65_536)
            file.flush()
            wait_for(lambda: _stored(tmp_path) == 4, timeout_s=20, what="the first batch")
            running.kill()
            running.wait(10)
    finally:
        running.kill()
        running.wait(10)
    assert _stored(tmp_path) == 4
    whole = tmp_path / "whole.jsonl"
    whole.write_text("".join(lines))
    ended = manage("import_issues", str(whole), "--project", "1")
    assert ended.returncode == 0, ended.stderr
    assert "imported 6 issues (12 events)" in ended.stdout
    assert "4 already there" in ended.stdout
    assert _stored(tmp_path) == 10


def _stored(data_dir: Path) -> int:
    """Imported memories, as a reader beside the project sees them."""
    with closing(sqlite3.connect(data_dir / "db.sqlite3", timeout=5)) as database:
        row = database.execute("SELECT count(*) FROM chat_memory WHERE kind = 'issue'").fetchone()
    return int(row[0])


def test_connected_client_sees_the_import_live(manage: Manage, tmp_path: Path) -> None:
    """Another process commits; the reader of a real server gets every event, in order, once."""
    copy_sqlite(tmp_path, manage_environment(tmp_path))
    key = json.loads(manage("demo", "--json").stdout)["users"][1]["api_key"]
    server = subprocess.Popen(
        [sys.executable, "manage.py", "serve", "--port", "0"],
        cwd=ROOT,
        env=manage_environment(tmp_path),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert server.stdout is not None
        address = server.stdout.readline().split()[2].replace("http", "ws", 1)
        headers = {"Authorization": f"Api-Key {key}"}
        path = f"{address}/ws/projects/1"
        with connect(path, additional_headers=headers, proxy=None) as client:
            frames = iter(lambda: json.loads(client.recv(timeout=10)), None)
            head = next(frame for frame in frames if frame.get("reply") == 0)["data"]["head"]
            ended = manage("import_issues", str(SAMPLE), "--project", "1")
            events = list(islice((frame for frame in frames if "seq" in frame), 6))
    finally:
        server.terminate()
        server.wait(20)
    assert ended.returncode == 0
    assert "hints did not get through" not in ended.stderr
    assert [event["seq"] for event in events] == list(range(head + 1, head + 7))
    assert {event["type"] for event in events} == {"memory_stored", "new_message"}
