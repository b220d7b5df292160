"""The sentences of a message in which its writer states something.

Left out is what only looks like it: quotes, code, questions, and thoughts half meant.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

LONGEST = 500  # characters; a longer one says more than fits a title
_HIDDEN = "\0"  # in no message: they are printable
_HIDDEN_PARTS = (
    re.compile(r"```.*?(?:```|\Z)|~~~.*?(?:~~~|\Z)", re.DOTALL),
    re.compile(r"^(?: {4}|\t|[ ]{0,3}>).*$", re.MULTILINE),
    re.compile(r"`[^`\n]*`"),
    re.compile(r'"[^"\n]*"|“[^“”\n]*”|«[^«»\n]*»'),
)
_START = re.compile(r"\s*(?:(?:[-*+•]|\d{1,2}[.)])\s+)?")
_END = re.compile(r"(?<!e\.g)(?<!i\.e)(?<!\bvs)(?<!\bno)[.!?…]+[)*_]*(?=\s|$)")
_UNSURE = re.compile(
    r"\b(?:maybe|perhaps|not sure|no idea|i wonder|what if|i think|i guess|i wish|imagine"
    r"|just kidding|jk|lol|haha+|should we|could we|shall we|unless|if only)\b|[:;]-?[)(D]",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Statement:
    """`text` is a part of the message, as it is. `plain` is as long: what is quoted is hidden, and
    apostrophes are straight."""

    text: str
    plain: str

    @property
    def is_sure(self) -> bool:
        return _UNSURE.search(self.plain) is None


def statements(text: str) -> Iterator[Statement]:
    """One after another, without the bullets of lists. Takes time linear in the text."""
    begin = 0
    for line in _hidden(text).replace("\u2019", "'").splitlines(keepends=True):
        for first, last in _sentences(line):
            plain = line[first:last]
            if plain.strip(_HIDDEN) and len(plain) <= LONGEST and "?" not in plain:
                yield Statement(text[begin + first : begin + last], plain)
        begin += len(line)


def _hidden(text: str) -> str:
    for pattern in _HIDDEN_PARTS:
        text = pattern.sub(_cover, text)
    return text


def _cover(found: re.Match[str]) -> str:
    """As long and of as many lines."""
    return re.sub(r"[^\n]", _HIDDEN, found.group())


def _sentences(line: str) -> Iterator[tuple[int, int]]:
    """Where each begins and ends in the line."""
    start = _START.match(line)
    begin = start.end() if start else 0
    for end in _END.finditer(line, begin):
        yield begin, end.end()
        begin = end.end() + len(line[end.end() :]) - len(line[end.end() :].lstrip())
    last = len(line.rstrip())
    if begin < last:
        yield begin, last
