"""Who was addressed, in a few bytes each: sorted ids as differences, compressed. Pure."""

import struct
import zlib
from collections.abc import Iterable
from itertools import accumulate, pairwise

_BYTES = 8


def packed(people: Iterable[int]) -> bytes:
    ordered = sorted(people)
    steps = [after - before for before, after in pairwise((0, *ordered))]
    return zlib.compress(struct.pack(f"<{len(steps)}Q", *steps), level=1)


def unpacked(content: bytes) -> frozenset[int]:
    plain = zlib.decompress(content)
    steps: tuple[int, ...] = struct.unpack(f"<{len(plain) // _BYTES}Q", plain)
    return frozenset(accumulate(steps))
