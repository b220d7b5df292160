"""Tables in Markdown."""

from collections.abc import Iterable, Sequence


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """The first column is text, the others are numbers. A cell may hold no line break; a bar in it
    is escaped."""
    marks = ["---", *("---:" for _ in heads[1:])]
    return "\n".join(
        "| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |"
        for row in (heads, marks, *rows)
    )
