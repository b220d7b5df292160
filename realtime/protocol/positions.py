"""Where a client stands in a stream."""

import re
from dataclasses import dataclass

from realtime.protocol.errors import BadRequest

_POSITION = re.compile(r"([a-z0-9]{1,32}):(0|[1-9][0-9]{0,17})")


@dataclass(frozen=True, slots=True, order=False)
class Position:
    """A seq within an epoch; seqs of different epochs are not comparable."""

    epoch: str
    seq: int

    @classmethod
    def parse(cls, text: str) -> "Position":
        """Read `<epoch>:<seq>`, the form of URLs and of SSE ids. Raises BadRequest."""
        match = _POSITION.fullmatch(text)
        if match is None:
            raise BadRequest(f"since: expected <epoch>:<seq>, got {text[:60]!r}")
        return cls(match[1], int(match[2]))

    def __str__(self) -> str:
        return f"{self.epoch}:{self.seq}"
