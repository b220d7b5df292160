"""BERT's tokenizer for lower-cased text: words, then the longest pieces that the vocabulary has.

After the reference of google-research/bert (`tokenization.py`). Written here because the packaged
tokenizers bring a client for model hubs along, and this is all that the model needs.
"""

import hashlib
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

VOCABULARY = Path(__file__).resolve().parent.parent / "data" / "vocab.txt"
VOCABULARY_SHA256 = "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3"
MAX_WORD_CHARS = 100
UNKNOWN, START, END = "[UNK]", "[CLS]", "[SEP]"
_ASCII_PUNCTUATION = frozenset("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~")
# The blocks whose characters are words of their own in the reference.
_IDEOGRAPHS = (
    (0x4E00, 0x9FFF),
    (0x3400, 0x4DBF),
    (0x20000, 0x2A6DF),
    (0x2A700, 0x2B73F),
    (0x2B740, 0x2B81F),
    (0x2B820, 0x2CEAF),
    (0xF900, 0xFAFF),
    (0x2F800, 0x2FA1F),
)


class VocabularyInvalid(Exception):
    """The file is not the vocabulary that the model was trained with."""


class WordPieces:
    """Pieces of a text as numbers. Raises VocabularyInvalid when the file is another one."""

    def __init__(self, path: Path = VOCABULARY) -> None:
        content = path.read_bytes()
        if (found := hashlib.sha256(content).hexdigest()) != VOCABULARY_SHA256:
            raise VocabularyInvalid(
                f"{path.name}: expected sha256 {VOCABULARY_SHA256}, got {found}"
            )
        self.pieces = content.decode().split("\n")[:-1]
        self._ids = {piece: number for number, piece in enumerate(self.pieces)}
        self.start, self.end = self._ids[START], self._ids[END]
        self._of_word = lru_cache(maxsize=20_000)(self._split)

    def encoded(self, text: str, most: int) -> list[int]:
        """Ids between start and end, `most` of them in all; the rest of the text is cut off."""
        found = [self.start]
        for word in _words(text):
            found += self._of_word(word)
            if len(found) >= most - 1:
                break
        return [*found[: most - 1], self.end]

    def _split(self, word: str) -> tuple[int, ...]:
        """The longest piece that fits, then the longest of the rest; unknown when one is not."""
        if len(word) > MAX_WORD_CHARS:
            return (self._ids[UNKNOWN],)
        found: list[int] = []
        begin = 0
        while begin < len(word):
            prefix = "##" if begin else ""
            for end in range(len(word), begin, -1):
                if (number := self._ids.get(prefix + word[begin:end])) is not None:
                    found.append(number)
                    begin = end
                    break
            else:
                return (self._ids[UNKNOWN],)
        return tuple(found)


def _words(text: str) -> Iterator[str]:
    """Runs of letters, and each mark or ideograph alone; accents are taken off."""
    word: list[str] = []
    for character in unicodedata.normalize("NFD", text.lower()):
        kind = unicodedata.category(character)
        if kind == "Mn":
            continue
        blank = character.isspace()
        if not blank and (kind in {"Cc", "Cf"} or character in "\0\ufffd"):
            continue
        alone = kind.startswith("P") or character in _ASCII_PUNCTUATION or _ideograph(character)
        if (blank or alone) and word:
            yield "".join(word)
            word.clear()
        if alone:
            yield character
        elif not blank:
            word.append(character)
    if word:
        yield "".join(word)


def _ideograph(character: str) -> bool:
    code = ord(character)
    return code >= 0x3400 and any(low <= code <= high for low, high in _IDEOGRAPHS)  # noqa: PLR2004
