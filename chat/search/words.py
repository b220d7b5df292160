"""Words of a text as the search by keywords sees them, and the words that say nothing."""

import re
from collections.abc import Iterator

MIN_STEM_CHARS = 3
_WORD = re.compile(r"[^\W_]+")
_SUFFIXES = ("ations", "ation", "ings", "ing", "edly", "ed", "ies", "ers", "er", "es", "ly", "s")

# Function words of English: they occur everywhere, so what they share says nothing.
STOP_WORDS = frozenset(
    """
    a about after again all also am an and any are as at be because been before being but by can
    could did do does doing don for from get gets got had has have having he her here his how i if
    in into is it its just me more most my no nor not of off on once one only or other our out over
    own same she should so some such than that the their them then there these they this those to
    too up us very was we were what when where which while who whom why will with would you your
    """.split()  # noqa: SIM905 - a list of a hundred quoted words is no better to read
)


def words(text: str) -> Iterator[str]:
    """Lower-case words that say something, in order, repetitions included."""
    for found in _WORD.finditer(text.lower()):
        word = found.group()
        if word not in STOP_WORDS and (len(word) > 1 or not word.isascii()):
            yield word


def stem(word: str) -> str:
    """`word` without its most common English ending: a light cut that makes plurals meet."""
    for suffix in _SUFFIXES:
        if word.endswith(suffix) and len(word) - len(suffix) >= MIN_STEM_CHARS:
            return word.removesuffix(suffix)
    return word


def shared_words(question: str, text: str, most: int) -> list[str]:
    """Words of `question` that `text` has too, by their stems, longest first, `most` of them."""
    there = {stem(word) for word in words(text)}
    found = {stem(word): word for word in words(question) if stem(word) in there}
    return sorted(found.values(), key=lambda word: (-len(word), word))[:most]
