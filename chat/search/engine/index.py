"""The index of one project: which memories could be meant, found by both ways of looking.

Exact: every vector is compared. 20,000 take about 3 ms on one core, and nothing is missed.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from chat.search.engine.model import Encoded, Floats, Pieces
from chat.search.engine.segment import Entry, Segment

MAX_TAIL = 512  # entries of the segment that is made anew when something was written
# Of the score by which candidates are chosen; what they really score is `ranking`'s.
KEYWORD_WEIGHT = 0.2


@dataclass(frozen=True, slots=True)
class Candidate:
    """`keywords` is the share of the question's words that the memory has, by weight."""

    row: int
    memory: int
    keywords: float
    vector: Floats


class VectorIndex:
    """What is indexed is told by `add` and `remove`; the database is read by `library`.

    `caps`: by the id of a word piece, the most that it may weigh. `most` of the entries are taken.
    """

    def __init__(self, caps: Floats, entries: Iterable[Entry] = (), most: int = 0) -> None:
        self._caps = caps
        self._main = Segment(entries, most)
        self._recent: dict[int, Entry] = {}
        self._tail = Segment([], 0)
        self._places = {int(row): place for place, row in enumerate(self._main.rows)}

    def __len__(self) -> int:
        return len(self._places) + len(self._recent)

    @property
    def size_bytes(self) -> int:
        per_place = 100  # of a dict with two integers
        return self._main.size_bytes + self._tail.size_bytes + len(self) * per_place

    @property
    def crowded(self) -> bool:
        """Whether a new index of the same rows would be quicker."""
        dead = len(self._main.rows) - len(self._places)
        return len(self._recent) > MAX_TAIL or dead > max(MAX_TAIL, len(self._places) // 4)

    def rows(self) -> set[int]:
        return self._places.keys() | self._recent.keys()

    def add(self, entries: Sequence[Entry]) -> None:
        new = {entry.row: entry for entry in entries if entry.row not in self._places}
        self._recent |= new
        self._tail = Segment(self._recent.values(), len(self._recent))

    def remove(self, rows: Iterable[int]) -> None:
        for row in rows:
            place = self._places.pop(row, None)
            if place is not None:
                self._main.alive[place] = False
            self._recent.pop(row, None)
        if len(self._recent) != len(self._tail.rows):
            self._tail = Segment(self._recent.values(), len(self._recent))

    def weights(self, pieces: Pieces) -> dict[int, float]:
        """How much each of the pieces says here: rare ones much, those of every memory nothing.

        None says more than its cap.
        """
        every = np.unique(pieces)
        total = len(self._main.rows) + len(self._tail.rows)
        known = self._main.frequencies(every) + self._tail.frequencies(every)
        says = np.log(1 + (total - known + 0.5) / (known + 0.5))
        said = np.minimum(says, self._caps[every])
        return dict(zip(every.tolist(), said.tolist(), strict=True))

    def candidates(self, question: Encoded, most: int) -> list[Candidate]:
        """The `most` memories that are nearest to the question by meaning and words together."""
        weights = {piece: says for piece, says in self.weights(question.pieces).items() if says}
        mean_length = (self._main.pieces_total + self._tail.pieces_total) / max(1, len(self))
        found: list[tuple[float, Candidate]] = []
        for segment in (self._main, self._tail):
            if not len(segment.rows):
                continue
            keywords = segment.keyword_scores(weights, mean_length)
            scores = segment.similarities(question.vector) + KEYWORD_WEIGHT * keywords
            scores[~segment.alive] = -np.inf
            near = np.argpartition(-scores, min(most, len(scores) - 1))[:most]
            found += [
                (
                    float(scores[place]),
                    Candidate(
                        int(segment.rows[place]),
                        int(segment.memories[place]),
                        float(keywords[place]),
                        segment.vector(int(place)),
                    ),
                )
                for place in near
                if segment.alive[place]
            ]
        found.sort(key=lambda pair: (-pair[0], pair[1].memory))
        return [candidate for _, candidate in found[:most]]
