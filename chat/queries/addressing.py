"""Whom a broadcast in a project addresses, and who may speak to all of them."""

from typing import Any

from django.db.models import QuerySet

from chat.models import Membership
from chat.queries.access import owning_membership
from realtime.protocol.streams import StreamName


def people_of_project(stream: StreamName) -> QuerySet[Any, int]:
    """Its members with an account that is in use."""
    rows = Membership.objects.filter(project_id=stream.key or 0, user__is_active=True)
    found: QuerySet[Any, int] = rows.values_list("user_id", flat=True)
    return found


def require_owner(user: Any, stream: StreamName) -> None:
    """Raises NotFound for strangers, Forbidden for other members."""
    owning_membership(user, stream.key or 0)
