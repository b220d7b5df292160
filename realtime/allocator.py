"""The C library's allocator, set for a process with few threads that work and many small objects.

glibc gives each thread an arena of its own, up to eight for each processor, and keeps what was
freed in them. The threads of this server take turns under the interpreter's lock: one arena serves
them.
"""

import ctypes
import sys

# <malloc.h> of glibc.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8
# As at the start of a process. Set by hand they stay: otherwise the first large block that is freed
# raises both, and large blocks leave holes among small ones that stay.
_LARGE_BYTES = 131_072


def allocate_from_one_arena() -> None:
    """For threads that begin from now on; gives back what is free. Elsewhere than on glibc nothing
    happens."""
    if sys.platform != "linux":
        return
    library = ctypes.CDLL(None)
    if hasattr(library, "mallopt") and hasattr(library, "malloc_trim"):
        library.mallopt(_M_ARENA_MAX, 1)
        library.mallopt(_M_MMAP_THRESHOLD, _LARGE_BYTES)
        library.mallopt(_M_TRIM_THRESHOLD, _LARGE_BYTES)
        library.malloc_trim(0)
