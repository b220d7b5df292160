"""The text of one run while it grows: what was said, what was kept, what is to be told. Pure."""

from dataclasses import dataclass, field
from datetime import datetime


@dataclass(slots=True, eq=False)
class LiveText:
    """Offsets count Unicode code points, as Python's strings do.

    A delta begins at the last but one checkpoint: whoever read the text from the database, at the
    worst before the last one was committed, has that much, so the delta joins what they know.
    """

    run: int
    generation: int
    project: int
    stream: str
    after: int  # the seq of `ai_processing_start`
    text: str = ""
    first_piece_at: datetime | None = None
    told: int = 0
    checkpoints: tuple[int, int] = field(default=(0, 0))  # the last but one, and the last

    def add(self, piece: str, now: datetime) -> bool:
        """Whether this is the first piece, which is told at once."""
        first = self.first_piece_at is None
        if first:
            self.first_piece_at = now
        self.text += piece
        return first

    @property
    def untold(self) -> bool:
        return len(self.text) > self.told

    @property
    def unkept(self) -> bool:
        return len(self.text) > self.checkpoints[1]

    def kept(self, length: int) -> None:
        """A checkpoint of that many code points was committed."""
        self.checkpoints = (self.checkpoints[1], length)

    def progress(self) -> dict[str, object]:
        """The payload of the next `ai_processing_progress`."""
        offset = self.checkpoints[0]
        self.told = len(self.text)
        return {
            "run": self.run,
            "generation": self.generation,
            "offset": offset,
            "delta": self.text[offset:],
        }
