"""`python -m realtime.hub.compiling`: builds `slices.c`, where the system has a C compiler.

`make` calls it. Everything works without: see `realtime.hub.slices`. The file's name tells what it
was made of, so that one of an older source is never loaded.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

SOURCE = Path(__file__).with_name("slices.c")
BUILT = SOURCE.parent / ".built"
FLAGS = ("-std=c11", "-O2", "-Wall", "-Wextra", "-shared", "-fPIC")
LIMIT_S = 60


def library() -> Path:
    """Where the compiled file of this source, for this kind of machine, is or would be."""
    made_of = hashlib.sha256(SOURCE.read_bytes())
    made_of.update(" ".join((*FLAGS, sysconfig.get_platform())).encode())
    return BUILT / f"slices-{made_of.hexdigest()[:12]}.so"


def build() -> Path | None:
    """Compile unless that was done; None where there is no compiler.

    Raises OSError, subprocess.SubprocessError.
    """
    built = library()
    if built.exists():
        return built
    compiler = shutil.which("cc")
    if compiler is None:
        return None
    BUILT.mkdir(exist_ok=True)
    # Renamed when it is whole: another process may be looking for it.
    unfinished = built.with_suffix(f".{os.getpid()}")
    try:
        command = [compiler, *FLAGS, "-o", str(unfinished), str(SOURCE)]
        subprocess.run(command, check=True, timeout=LIMIT_S)  # noqa: S603 - all of it ours
        unfinished.replace(built)
    finally:
        unfinished.unlink(missing_ok=True)
    for other in BUILT.glob("slices-*.so"):
        if other != built:
            other.unlink(missing_ok=True)
    return built


def main() -> None:
    """Never a failure: what cannot be compiled is done in Python."""
    try:
        why = None if build() else "no C compiler (cc) here"
    except (OSError, subprocess.SubprocessError) as error:
        why = f"expected cc to compile {SOURCE.name}, got {error}"
    if why is not None:
        sys.stderr.write(f"Fan-out in Python: {why}.\n")


if __name__ == "__main__":
    main()
