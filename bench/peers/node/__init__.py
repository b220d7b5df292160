"""The peers in Node: where their packages come from, and which versions are there."""

import json
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

FOLDER = Path("bench/peers/node")  # from the repository's root, where the peers are started
INSTALL = f"npm ci --prefix {FOLDER}"
_ROOT = Path(__file__).parent


def missing(*packages: str) -> str | None:
    """None when Node and all the packages are there, or the command that installs them."""
    if shutil.which("node") is None:
        return f"apt-get install nodejs npm && {INSTALL}"
    return None if all(_manifest(name).exists() for name in packages) else INSTALL


def versions(*packages: str) -> Mapping[str, str]:
    node = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True)
    found = {"node": node.stdout.strip().removeprefix("v")}
    for name in packages:
        found[name] = json.loads(_manifest(name).read_text())["version"]
    return found


def _manifest(package: str) -> Path:
    return _ROOT / "node_modules" / package / "package.json"
