"""One slice of a fan-out: the same bytes to many descriptors.

In Python, or by the compiled `slices.c` where `make` has built it: one call that leaves the
interpreter once, where a loop does for each socket. Both say the same of what was not taken.
"""

import ctypes
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from realtime.hub.compiling import library

if TYPE_CHECKING:
    from array import array

# Of descriptors and bytes: what was taken, by index, of those who took less than all.
WriteSlice = Callable[["array[int]", bytes], dict[int, int]]


def write_in_python(
    descriptors: "array[int]", data: bytes, *, write: Callable[[int, bytes], int] = os.write
) -> dict[int, int]:
    """Never waits: the descriptors are of non-blocking sockets, and of open ones."""
    size = len(data)
    taken: dict[int, int] = {}
    for index, descriptor in enumerate(descriptors):
        try:
            count = write(descriptor, data)
        except OSError:  # full, or gone: the transport finds out which
            count = 0
        if count != size:
            taken[index] = count
    return taken


def compiled(path: Path) -> WriteSlice | None:
    """`slices.c` as it was built at `path`; None where it was not, or is not for this system."""
    try:
        function = ctypes.CDLL(str(path)).write_slice
    except (OSError, AttributeError):
        return None
    int_p, long_p = ctypes.c_void_p, ctypes.POINTER(ctypes.c_long)
    function.argtypes = (int_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_size_t, long_p)
    function.restype = ctypes.c_int
    return partial(_write_compiled, function)


def _write_compiled(
    function: Callable[..., int], descriptors: "array[int]", data: bytes
) -> dict[int, int]:
    """The calling thread is the only one that closes descriptors and changes who is in a block, so
    that all stays as it is while the interpreter's lock is let go."""
    address, count = descriptors.buffer_info()
    taken = (ctypes.c_long * (2 * count))()
    short_of = function(address, count, data, len(data), taken)
    return {taken[2 * one]: taken[2 * one + 1] for one in range(short_of)}


_found = compiled(library())
write_slice: WriteSlice = _found or write_in_python
is_compiled = _found is not None
