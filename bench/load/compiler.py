"""Compiles the C programs of this folder once per content, with `cc` or with the zig of PyPI."""

import hashlib
import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).parent
BUILT = FOLDER / ".built"
INSTALL = ".venv/bin/python -m pip install -r requirements-bench.txt"
_PROGRAMS = {
    "generator": (
        "generator.c",
        "publishing.c",
        "receiving.c",
        "crowd.c",
        "frame.c",
        "buffer.c",
        "histogram.c",
    ),
    "blast": ("blast.c", "frame.c", "buffer.c"),
}
_FLAGS = ("-std=c11", "-O2", "-Wall", "-Wextra")


def compiler() -> list[str] | None:
    """The command of a C compiler, or None where there is none."""
    if (found := shutil.which("cc")) is not None:
        return [found]
    if importlib.util.find_spec("ziglang") is not None:
        return [sys.executable, "-m", "ziglang", "cc"]
    return None


def version() -> str:
    """The first line of what the compiler says of itself, empty without one."""
    command = compiler()
    if command is None:
        return ""
    said = subprocess.run([*command, "--version"], capture_output=True, text=True, check=True)
    return said.stdout.splitlines()[0]


def program(name: str) -> Path:
    """The compiled program `generator` or `blast`. Raises SystemExit that says what is missing."""
    command = compiler()
    if command is None:
        raise SystemExit(f"expected a C compiler (cc, or ziglang: {INSTALL}), got none")
    content = hashlib.sha256(" ".join([*command, *_FLAGS]).encode())
    for path in sorted([*FOLDER.glob("*.c"), *FOLDER.glob("*.h")]):
        content.update(path.read_bytes())
    built = BUILT / f"{name}-{content.hexdigest()[:12]}"
    if not built.exists():
        BUILT.mkdir(exist_ok=True)
        for old in BUILT.glob(f"{name}-*"):
            old.unlink()
        sources = [str(FOLDER / source) for source in _PROGRAMS[name]]
        subprocess.run([*command, *_FLAGS, "-o", str(built), *sources, "-lm"], check=True)
    return built
