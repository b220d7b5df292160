"""The embedded provider: sentences of the project itself, cited. It makes nothing up.

No network, no model: what it says stands in a memory or a message, and where nothing fits well
enough it says that it found nothing.
"""

import asyncio
import re
from collections.abc import Sequence

from chat.ai.providers.protocol import Delta, Done, Passage, Pieces, Question, Usage
from chat.ai.retrieval import terms

THRESHOLD = 0.4  # of the question's weight must be met
MOST_PASSAGES = 4
LONGEST_SENTENCES = 280
PIECE_WORDS = 3
PIECE_EVERY_S = 0.01
_SENTENCE = re.compile(r"(?<=[.!?])\s+|\n+")
_PIECE = re.compile(rf"(?:\S+\s*){{1,{PIECE_WORDS}}}")
NOTHING = (
    "I found nothing in this project's memories and messages that answers this. "
    "Perhaps other words help, or somebody stores a memory of it."
)


class ExtractiveProvider:
    name = "extractive"

    async def answer(self, question: Question) -> Pieces:
        text = extract(question.text, question.passages)
        for piece in _PIECE.findall(text):
            yield Delta(piece)
            await asyncio.sleep(PIECE_EVERY_S)
        yield Usage(len(question.text.split()), len(text.split()))
        yield Done()


def extract(question: str, passages: Sequence[Passage]) -> str:
    """The answer, whole."""
    found = [one for one in passages if one.score >= THRESHOLD]
    if not found:
        return NOTHING
    # What is much worse than the best is an accident of words.
    best = max(one.score for one in found)
    kept = [one for one in found if one.score >= 0.7 * best][:MOST_PASSAGES]
    lines = [f"{_said(question, one)} {one.citation}" for one in kept]
    if len(lines) == 1:
        return lines[0]
    return "\n".join(["This is what the project knows:", *(f"- {line}" for line in lines)])


def _said(question: str, passage: Passage) -> str:
    """A memory by its title, and the sentences that share most with the question."""
    wanted = set(terms(question))
    sentences = [part.strip() for part in _SENTENCE.split(passage.text) if part.strip()]
    ranked = sorted(sentences, key=lambda part: -len(wanted & set(terms(part))))
    chosen: list[str] = []
    for sentence in ranked:
        cut = sentence if len(sentence) <= LONGEST_SENTENCES else f"{sentence[:LONGEST_SENTENCES]}…"
        if sum(map(len, chosen)) + len(cut) > LONGEST_SENTENCES:
            break
        chosen.append(cut)
    told = " ".join(sorted(chosen, key=lambda part: passage.text.find(part.removesuffix("…"))))
    if not passage.title:
        return told
    title = passage.title.rstrip(".")
    return f"{title}: {told}" if told else title
