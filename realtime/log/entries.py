"""What travels: drafts from writers, entries to readers."""

from dataclasses import dataclass, field
from typing import Any, NamedTuple


@dataclass(frozen=True, slots=True)
class EventDraft:
    """An event before it has a seq. `data` is checked against the catalogue when it is published.

    subject: what the frame holds text of, e.g. "message.12"
    redacts: a subject whose text is blanked in every earlier frame, in the same transaction
    ends: whose rights to the stream end here: "user.7", a credential, or "all"
    """

    type: str
    data: dict[str, Any] = field(hash=False)
    subject: str | None = None
    redacts: str | None = None
    ends: str | None = None


class Entry(NamedTuple):
    """An event as nodes handle it; `frame` is None where a hint carries the position only."""

    seq: int
    frame: bytes | None
    type: str
    ends: str | None
    blanks: int | None


EVERYONE = "all"


def ends_rights_of(ends: str, user_id: int, credential: str) -> bool:
    """Whether an entry that ends `ends` concerns this reader."""
    return ends in {EVERYONE, f"user.{user_id}", credential}
