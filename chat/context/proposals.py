"""What a message says that may be worth keeping, recognised by plain rules.

Precision before recall: what is proposed takes a member's attention, what is missed costs nothing.
So a statement counts only where it says by itself what it is, with its first words. English only.
"""

import re

from chat.actions.runs import calling
from chat.context.findings import Proposal
from chat.context.patterns import ALWAYS_LABELS, LABELLED, LABELS, PATTERNS
from chat.context.statements import Statement, statements
from chat.models import MemoryKind
from realtime.protocol.payloads.shape import TITLE_MAX_CHARS

MOST_OF_A_MESSAGE = 3
SHORTEST = 8  # characters of what is kept: "Risk: none" is none


def proposals_in(text: str) -> list[Proposal]:
    """The first ones of the message. What is said to the AI is the AI's to keep."""
    if calling(text, ask_ai=False).asks:
        return []
    found: dict[tuple[MemoryKind, str], Proposal] = {}
    for statement in statements(text):
        proposal = _labelled(statement) or _recognised(statement)
        if proposal is not None:
            found.setdefault((proposal.kind, proposal.title.lower()), proposal)
    return list(found.values())[:MOST_OF_A_MESSAGE]


def _labelled(statement: Statement) -> Proposal | None:
    """Unsure or not: a label is meant."""
    match = LABELLED.match(statement.plain)
    if match is None:
        return None
    label = match["label"]
    if label.islower() and label not in ALWAYS_LABELS:
        return None
    return _proposal(LABELS[label.lower()], statement, match)


def _recognised(statement: Statement) -> Proposal | None:
    if statement.is_sure:
        for kind, pattern in PATTERNS:
            match = pattern.match(statement.plain)
            if match is not None:
                return _proposal(kind, statement, match)
    return None


def _proposal(kind: MemoryKind, statement: Statement, match: re.Match[str]) -> Proposal | None:
    what = " ".join(statement.text[match.start("what") :].split()).strip("*_ ").rstrip(".!…")
    if len(what) < SHORTEST or " " not in what:
        return None
    title = what[0].upper() + what[1:]
    if len(title) > TITLE_MAX_CHARS:
        title = f"{title[: TITLE_MAX_CHARS - 1]}…"
    return Proposal(kind, title, statement.text)
