"""Ends a child process when its parent dies, however the parent dies.

The kernel does it (Linux, PR_SET_PDEATHSIG), so that kill -9 of the parent counts too. Other
systems have nothing like it: there, children end when their parent stops them, and whoever owns
the data folder next ends what was left behind.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1
# Looked up at import: the dynamic loader must not be entered between fork and exec, where another
# thread may have held its lock.
_prctl = ctypes.CDLL(None, use_errno=True).prctl if sys.platform == "linux" else None


def die_with_parent(parent: int, death_signal: int = signal.SIGKILL) -> None:
    """Have the kernel send `death_signal` to this process when `parent` dies.

    Call it in the child: between fork and exec (`preexec_fn`, after any change of user, which
    clears the setting), or first thing in a spawned Python process. `parent` is the pid that the
    parent read before it made the child.

    "Parent" is the *thread* that made the child: it must live as long as its process.
    Raises OSError when the kernel refuses. Source: prctl(2).
    """
    if _prctl is None:
        return
    if _prctl(_PR_SET_PDEATHSIG, int(death_signal), 0, 0, 0) != 0:
        error = ctypes.get_errno()
        raise OSError(error, f"prctl(PR_SET_PDEATHSIG): {os.strerror(error)}")
    if os.getppid() != parent:
        # It died before prctl took hold, so the signal that we asked for will never come.
        os.kill(os.getpid(), death_signal)
