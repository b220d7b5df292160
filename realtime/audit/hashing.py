"""The canonical form of an entry, and its hash."""

import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

ORIGIN = "0" * 64  # what the first entry of a chain carries of the one before


@dataclass(frozen=True, slots=True)
class Content:
    """An entry without its place in the chain."""

    at: datetime
    action: str
    actor: int | None
    actor_name: str
    target: str
    result: str
    address: str | None
    details: str


def canonical_json(value: Any) -> str:
    """One text for one value: sorted keys, no spaces, ASCII only. Raises TypeError, ValueError."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def entry_hash(seq: int, previous: str, content: Content) -> str:
    """SHA-256, in hexadecimal, over a JSON array of everything that the entry says."""
    parts = [
        seq,
        previous,
        content.at.astimezone(UTC).isoformat(timespec="microseconds"),
        content.action,
        content.actor,
        content.actor_name,
        content.target,
        content.result,
        content.address,
        content.details,
    ]
    return hashlib.sha256(canonical_json(parts).encode()).hexdigest()
