"""How a user is shown to others: one place for events, replies and snapshots."""

from typing import Any


def display_name(user: Any) -> str:
    return str(user.get_full_name() or user.get_username())


def person(user: Any) -> dict[str, Any]:
    """The wire shape `Person`."""
    return {"id": user.pk, "name": display_name(user)}
