"""A project in a few lines, taken from what it has: no model, nothing made up.

No message is quoted. A message can be taken back, and the log keeps what was told: of messages
only words remain that two of them share.
"""

from collections import Counter

from chat.context.terms import key_terms
from chat.models import Memory, MemoryKind, Message, MessageKind, Relevance

RECENT_MESSAGES = 30
MOST_TOPICS = 6
MOST_OF_A_KIND = 3
LONGEST_TITLE = 120
_HEADINGS = {
    MemoryKind.DECISION: "Decided",
    MemoryKind.ISSUE: "Open issues",
    MemoryKind.TASK: "To do",
    MemoryKind.FACT: "Known",
}


def summarised(project_id: int) -> str:
    """Lines such as "Decided: ...; ..."; empty while there is nothing to say."""
    lines = [f"Lately about: {', '.join(topics)}"] if (topics := _topics(project_id)) else []
    for kind, heading in _HEADINGS.items():
        if titles := _titles(project_id, kind):
            lines.append(f"{heading}: {'; '.join(titles)}")
    return "\n".join(lines)


def _topics(project_id: int) -> list[str]:
    rows = Message.objects.filter(project_id=project_id, kind=MessageKind.USER, deleted_at=None)
    counts: Counter[str] = Counter()
    for body in rows.order_by("-pk").values_list("body", flat=True)[:RECENT_MESSAGES]:
        # Of letters only: what looks like a password or a number is nobody's topic.
        counts.update({term for term in key_terms(body) if term.isalpha()})
    shared = [(term, count) for term, count in counts.items() if count > 1]
    shared.sort(key=lambda one: (-one[1], one[0]))
    return sorted(term for term, _ in shared[:MOST_TOPICS])


def _titles(project_id: int, kind: MemoryKind) -> list[str]:
    """The pinned and the newest, without what has faded."""
    every = Memory.objects.kept().filter(project_id=project_id, kind=kind)
    rows = every.exclude(relevance=Relevance.LOW).order_by("-pinned", "-pk")
    return [
        title[:LONGEST_TITLE] for title in rows.values_list("title", flat=True)[:MOST_OF_A_KIND]
    ]
