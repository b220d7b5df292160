"""The page's pure modules, in Node."""

import shutil
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).parent
NODE = shutil.which("node")
TIMEOUT_S = 60


@pytest.mark.skipif(NODE is None, reason="node is not installed: apt-get install nodejs")
def test_unit_tests_in_node() -> None:
    """Every `*.test.mjs` passes; the files are named because Node 20 and 22 read folders apart."""
    files = sorted(str(path) for path in HERE.glob("*.test.mjs"))
    assert files
    done = subprocess.run(
        [str(NODE), "--test", *files],
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
