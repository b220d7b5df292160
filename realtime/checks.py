"""System checks: what the types of the settings cannot say."""

from collections.abc import Sequence
from typing import Any

from django.apps.config import AppConfig
from django.core.checks import CheckMessage, Error, Tags, register
from django.db import OperationalError, connection, connections


@register(Tags.database)
def transactions_are_ours(
    app_configs: Sequence[AppConfig] | None, **kwargs: Any
) -> list[CheckMessage]:
    """Refuse settings under which a committed event could vanish or a lock be held too long."""
    found: list[CheckMessage] = []
    if connections.settings["default"].get("ATOMIC_REQUESTS"):
        found.append(
            Error(
                "ATOMIC_REQUESTS is on: streams would stay locked while a response is made.",
                hint="Turn it off; actions open their own transactions.",
                id="realtime.E001",
            )
        )
    if connection.vendor == "postgresql" and kwargs.get("databases"):
        found += _commit_is_durable()
    return found


def _commit_is_durable() -> list[CheckMessage]:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SHOW synchronous_commit")
            value = cursor.fetchone()[0]
    except OperationalError:
        return []  # an absent database has its own, better message
    if value != "off":
        return []
    return [
        Error(
            "synchronous_commit is off: clients would keep seqs that a crash takes back.",
            hint="Set it to on, local or remote_write for this database.",
            id="realtime.E002",
        )
    ]
