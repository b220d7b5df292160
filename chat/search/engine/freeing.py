"""Giving memory back to the system that was needed for a moment only."""

import contextlib
import ctypes
import sys


def give_memory_back() -> None:
    """After the model was loaded 60 MB are free, and glibc keeps them."""
    if sys.platform == "linux":
        with contextlib.suppress(AttributeError):  # another C library
            ctypes.CDLL(None).malloc_trim(0)
