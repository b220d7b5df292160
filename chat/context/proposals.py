"""What a message says that may be worth keeping, recognised by plain rules.

Precision before recall: what is proposed takes a member's attention, what is missed costs nothing.
Only statements count that say themselves what they are. Left out are questions, quotes, code and
messages to the AI.
"""

import re
from collections.abc import Iterator

from chat.context.findings import Proposal
from chat.models import MemoryKind
from realtime.protocol.payloads.shape import TITLE_MAX_CHARS

MOST_OF_A_MESSAGE = 3
_LABELS = {
    MemoryKind.DECISION: r"decision|decided|agreed",
    MemoryKind.TASK: r"todo|to-do|to do|task|action item|action",
    MemoryKind.ISSUE: r"issue|bug|problem|known issue",
    MemoryKind.RISK: r"risk",
    MemoryKind.FACT: r"fact|fyi|for the record",
}
_RULES = [
    (kind, re.compile(rf"(?:{labels})\s*:\s+(?P<what>\S.*)", re.IGNORECASE))
    for kind, labels in _LABELS.items()
]


def proposals_in(text: str) -> list[Proposal]:
    found: list[Proposal] = []
    for sentence in _sentences(text):
        proposal = _proposal(sentence)
        if proposal is not None:
            found.append(proposal)
    return found[:MOST_OF_A_MESSAGE]


def _sentences(text: str) -> Iterator[str]:
    for line in text.splitlines():
        yield line.strip()


def _proposal(sentence: str) -> Proposal | None:
    for kind, pattern in _RULES:
        match = pattern.fullmatch(sentence)
        if match is not None:
            return Proposal(kind, match["what"][:TITLE_MAX_CHARS], sentence)
    return None
