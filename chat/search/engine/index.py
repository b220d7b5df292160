"""The index of one project: which memories could be meant, found by both ways of looking.

In memory every vector is compared: 20,000 take about 3 ms on one core, and nothing is missed.
Where the database compares vectors (`Nearest`), it names those that are near, and is asked about
those that have the question's words; what is neither is no candidate.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from chat.search.engine.model import Encoded, Floats, Pieces
from chat.search.engine.segment import Entry, Segment

MAX_TAIL = 512  # entries of the segment that is made anew when something was written
# Of the score by which candidates are chosen; what they really score is `ranking`'s.
KEYWORD_WEIGHT = 0.2
# Times the candidates: so many are taken from either side when the database compares vectors. One
# beyond both would have to be the 40th together and not the 160th in anything.
WIDTH = 4


class Nearest(Protocol):
    """The vectors of the project's rows, elsewhere. Both give `(row, cosine)`."""

    def best(self, vector: Floats, most: int) -> list[tuple[int, float]]: ...

    def of(self, vector: Floats, rows: Sequence[int]) -> list[tuple[int, float]]: ...


@dataclass(frozen=True, slots=True)
class Candidate:
    """`keywords` is the share of the question's words that the memory has, by weight."""

    row: int
    memory: int
    keywords: float


class VectorIndex:
    """What is indexed is told by `add` and `remove`; the database is read by `library`.

    `caps`: by the id of a word piece, the most that it may weigh. `most` of the entries are taken.
    `nearest`: has the vectors of all of them; what is added later is kept here.
    """

    def __init__(
        self,
        caps: Floats,
        entries: Iterable[Entry] = (),
        most: int = 0,
        nearest: Nearest | None = None,
    ) -> None:
        self._caps = caps
        self._nearest = nearest
        self._main = Segment(entries, most, vectors=nearest is None)
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
            near_by = self._similarities(segment, question, keywords, most * WIDTH)
            scores = near_by + KEYWORD_WEIGHT * keywords
            scores[~segment.alive] = -np.inf
            near = np.argpartition(-scores, min(most, len(scores) - 1))[:most]
            found += [
                (
                    float(scores[place]),
                    Candidate(
                        int(segment.rows[place]),
                        int(segment.memories[place]),
                        float(keywords[place]),
                    ),
                )
                for place in near
                if scores[place] > -np.inf
            ]
        found.sort(key=lambda pair: (-pair[0], pair[1].memory))
        return [candidate for _, candidate in found[:most]]

    def _similarities(
        self, segment: Segment, question: Encoded, keywords: Floats, most: int
    ) -> Floats:
        """Cosines, one an entry; minus infinity for what the database was not asked about."""
        if self._nearest is None or segment is self._tail:
            return segment.similarities(question.vector)
        known = dict(self._nearest.best(question.vector, most))
        telling = np.argpartition(-keywords, min(most, len(keywords) - 1))[:most]
        rows = segment.rows[telling[keywords[telling] > 0]].tolist()
        known |= self._nearest.of(question.vector, [row for row in rows if row not in known])
        found: Floats = np.full(len(segment.rows), -np.inf, np.float32)
        for row, similarity in known.items():
            place = self._places.get(row)  # None: stored since, or older than what is indexed
            if place is not None:
                found[place] = similarity
        return found
