"""The first words by which a statement says what it is. `what` is the part that becomes a title.

To be matched with a sentence from its start; an apostrophe is always a straight one.
"""

import re

from chat.models import MemoryKind

# As in "Risk: the disk fills up".
LABELS = {
    "decision": MemoryKind.DECISION,
    "decided": MemoryKind.DECISION,
    "task": MemoryKind.TASK,
    "action item": MemoryKind.TASK,
    "todo": MemoryKind.TASK,
    "to do": MemoryKind.TASK,
    "to-do": MemoryKind.TASK,
    "issue": MemoryKind.ISSUE,
    "known issue": MemoryKind.ISSUE,
    "bug": MemoryKind.ISSUE,
    "problem": MemoryKind.ISSUE,
    "risk": MemoryKind.RISK,
    "fact": MemoryKind.FACT,
    "fyi": MemoryKind.FACT,
    "for the record": MemoryKind.FACT,
}
# The others are in small letters as often a key of some data, such as "task: build".
ALWAYS_LABELS = {"decision", "action item", "todo", "to-do", "known issue", "fyi"}
LABELLED = re.compile(
    rf"[*_]{{0,2}}(?P<label>{'|'.join(LABELS)})[*_]{{0,2}}:[*_]{{0,2}}\s+(?P<what>\S.*)",
    re.IGNORECASE,
)

_OPENING = r"(?:(?:ok|okay|so|then|and|right|alright|great|good|fine|well|yes|done)\b[,:.!]?\s+)*"
_WE = r"(?:we|the team)(?:'ve| have)?(?: (?:all|now|finally|just)){0,2}"
_THERE = r"there(?:'s| is)"
_THING = r"(?:the|our) (?:[\w./-]+ ){1,6}"
_WHEN = r"(?:in|on|when|with|after|since|if|for|under|at|during|whenever) .+"
_DAY = r"(?:today|tomorrow|(?:mon|tues|wednes|thurs|fri|satur|sun)day)"
_SOON = rf"(?:before|by) (?:the(?! way)|next|we|end|\d+|{_DAY})"
_EXACT = rf"(?=.*(?:\d|\b{_DAY}\b))"
_FAULT = (
    r"(?:bug|regression|memory leak|race condition|deadlock|crash|vulnerability|data loss|outage)"
)
_FIXED = (
    r"(?:deadline|budget|limit|release date|due date|launch date|code freeze|quota|maximum"
    r"|minimum|timeout|target)"
)
_OF = r"(?:(?:for|of) (?:\S+ ){1,4})?"
_TEXTS = {
    MemoryKind.DECISION: [
        rf"{_WE} (?:decided|agreed|settled)(?: today| yesterday)? (?:to|that|on) (?P<what>.+)",
        rf"{_WE} (?:decided|agreed) (?P<what>(?:against|not to) .+)",
        r"let(?:'| u)?s go with (?P<what>.+)",
        r"we(?:'re| are) going with (?P<what>.+)",
        r"we(?:'ll| will) go with (?P<what>.+)",
        r"it(?:'s| is) decided(?::| that) (?P<what>.+)",
    ],
    MemoryKind.TASK: [
        r"\[ \] (?P<what>.+)",
        r"(?-i:TODO) (?P<what>\S+ \S.*)",
        r"we still (?:need|have) to (?P<what>\S+ .+)",
        rf"we (?:need|have) to (?P<what>\S+ .+ {_SOON}\b.*)",
        r"(?:please )?(?:don't|do not) forget to (?P<what>\S+ \S+ .+)",
        r"(?:somebody|someone|one of us) (?:needs|has) to (?P<what>\S+ .+)",
    ],
    MemoryKind.ISSUE: [
        rf"{_THERE} (?P<what>(?:a|an|another) (?:\S+ )?{_FAULT} {_WHEN})",
        rf"(?P<what>{_THING}(?:is|are) (?:broken|failing|crashing|leaking)(?: {_WHEN})?)",
        rf"(?P<what>{_THING}(?:crash(?:es)?|fails?|hangs?|leaks?|times? out)(?: again)? {_WHEN})",
    ],
    MemoryKind.RISK: [
        rf"{_THERE} (?:a |some )(?:\w+ )?risk that (?P<what>.+)",
        rf"{_THERE} (?:a |some )(?:\w+ )?(?P<what>risk of .+)",
        r"(?:the|our) (?:\w+ )?(?:risk|danger) (?:here )?is (?:that )?(?P<what>\S+ \S+ .+)",
        r"we risk (?P<what>\w+ing .+)",
    ],
    MemoryKind.FACT: [
        rf"{_EXACT}(?P<what>(?:the|our) (?:[\w-]+ )?{_FIXED} {_OF}(?:is|are) .+)",
    ],
}
PATTERNS = [
    (kind, re.compile(_OPENING + text, re.IGNORECASE))
    for kind, texts in _TEXTS.items()
    for text in texts
]
