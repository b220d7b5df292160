"""The JavaScript tests are skipped, and say why, where Node cannot run them."""

from pathlib import Path

import pytest

from tests.client.node import reason_to_skip


def node_that_says(folder: Path, version: str) -> str:
    """A stand-in for an installed Node of another version."""
    path = folder / "node"
    path.write_text(f"#!/bin/sh\necho {version}\n")
    path.chmod(0o755)
    return str(path)


@pytest.mark.parametrize("version", ["v18.0.0", "v18.20.8", "v20.11.1", "v100.0.0"])
def test_suitable_node_is_used(version: str, tmp_path: Path) -> None:
    """Debian 12 has 18, which must do."""
    assert reason_to_skip(node_that_says(tmp_path, version)) is None


@pytest.mark.parametrize("version", ["v12.22.9", "v16.20.2", "''"])
def test_old_node_is_told(version: str, tmp_path: Path) -> None:
    """Bug: Ubuntu's Node 12 failed with a report of 40 syntax errors instead."""
    reason = reason_to_skip(node_that_says(tmp_path, version))
    assert reason is not None
    assert reason.startswith("expected Node 18 or newer, got ")


def test_absent_node_is_told() -> None:
    """With the command that installs it."""
    assert reason_to_skip(None) == "node is not installed: apt-get install nodejs"
