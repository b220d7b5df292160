"""The words that a text is about."""

from collections import Counter

from chat.search.words import stem, words

MOST_TERMS = 8
SHORTEST = 3


def key_terms(text: str, most: int = MOST_TERMS) -> list[str]:
    """Said most often first, of those the longest; each in the form in which it was said first."""
    counts: Counter[str] = Counter()
    shown: dict[str, str] = {}
    for word in words(text):
        if telling(word):
            counts[stem(word)] += 1
            shown.setdefault(stem(word), word)
    # Sorting is stable: of two that are alike the one that was said first is first.
    ranked = sorted(counts, key=lambda key: (-counts[key], -len(shown[key])))
    return [shown[key] for key in ranked[:most]]


def telling(word: str) -> bool:
    """Numbers and very short words say little, but where a word is one sign long."""
    return not word.isnumeric() and (len(word) >= SHORTEST or not word.isascii())
