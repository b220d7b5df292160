"""Which Node the JavaScript tests run in, and why they cannot where there is none."""

import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

import pytest

OLDEST = 18  # of Debian 12; the first with `--test`
TIMEOUT_S = 60
NODE = shutil.which("node")


def reason_to_skip(node: str | None) -> str | None:
    """None where the Node at that path can run the tests."""
    if node is None:
        return "node is not installed: apt-get install nodejs"
    asked = [node, "--version"]
    answer = subprocess.run(asked, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    version = answer.stdout.strip()
    major = version.removeprefix("v").partition(".")[0]
    if not major.isdecimal() or int(major) < OLDEST:
        return f"expected Node {OLDEST} or newer, got {version or 'no version'} of {node}"
    return None


_REASON = reason_to_skip(NODE)
needs_node = pytest.mark.skipif(_REASON is not None, reason=_REASON or "")


def node_command(*arguments: str) -> list[str]:
    """The command line of Node; `needs_node` guarantees that there is one."""
    assert NODE is not None
    return [NODE, *arguments]


def run_unit_tests(files: Iterable[Path]) -> None:
    """Fails with Node's report. Named files, because Node 20 and 22 read folders apart."""
    names = sorted(map(str, files))
    assert names, "expected tests to run, got no file"
    done = subprocess.run(
        node_command("--test", *names),
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
