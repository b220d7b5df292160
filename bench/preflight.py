"""What would end a run in its middle, said before it begins."""

import os
import resource
import sys
from collections.abc import Mapping

from bench.load import compiler
from bench.peers import Peer
from bench.servers import accepts

# Files that a server or a generator opens beside its sockets.
SPARE_FILES = 500


def expect_linux() -> None:
    """Raises SystemExit: pinning, epoll and the kernel's stamps are Linux."""
    if not sys.platform.startswith("linux"):
        raise SystemExit(f"expected Linux, got {sys.platform}")


def expect_files(sockets: int) -> None:
    """Raise this process's limit, which the others inherit. Raises SystemExit."""
    needed = sockets + SPARE_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < needed:
        raise SystemExit(
            f"ulimit -n: expected at least {needed} for {sockets} sockets, got {hard}; "
            f"raise it (ulimit -Hn {needed}, or LimitNOFILE=) or choose smaller scenarios"
        )
    if soft < needed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))


def expect_ports(first: int, count: int) -> None:
    """Raises SystemExit that names the busy one."""
    for port in range(first, first + count):
        if accepts(port):
            raise SystemExit(f"--port: expected {port} to be free, somebody listens there")


def expect_compiler() -> None:
    """Raises SystemExit with the command that installs one."""
    if compiler.compiler() is None:
        raise SystemExit(
            f"expected a C compiler, got none; `{compiler.INSTALL}` installs one from PyPI"
        )


def cores() -> tuple[int | None, int | None]:
    """One for the servers and one for the generator; nothing is pinned where there is only one."""
    allowed = sorted(os.sched_getaffinity(0))
    if len(allowed) < 2:
        print(
            "expected two processors, got one: server and generator share it, and figures "
            "are not comparable",
            file=sys.stderr,
        )
        return None, None
    return allowed[0], allowed[1]


def without_missing(peers: Mapping[str, Peer]) -> tuple[dict[str, Peer], list[dict[str, str]]]:
    """Those that are installed, and for the others the command that installs them, printed too."""
    installed: dict[str, Peer] = {}
    skipped: list[dict[str, str]] = []
    for name, peer in peers.items():
        command = peer.missing()
        if command is None:
            installed[name] = peer
        else:
            print(f"{name}: not installed, skipped; `{command}` installs it", file=sys.stderr)
            skipped.append({"peer": name, "install": command})
    return installed, skipped
