"""Who may do what in a project."""

from collections.abc import Sequence
from typing import Any

from django.db.models import QuerySet

from chat.models import Membership, Project, Role, User
from realtime.protocol.errors import Forbidden, NotFound
from realtime.protocol.streams import StreamName

READERS_KEPT = 50_000  # of the projects that a node opens together; others are looked up
STRANGE = "expected a project that you are a member of, got none by that id"
WRITERS = {Role.OWNER, Role.MEMBER}


def may_read_project(user: Any, stream: StreamName) -> bool:
    """The reader check of project streams."""
    return Membership.objects.filter(project_id=stream.key or 0, user_id=user.pk).exists()


def project_readers(streams: Sequence[StreamName]) -> dict[StreamName, set[int]]:
    """Who passes that check, of many projects; of a huge one only the first ones to join."""
    found: dict[StreamName, set[int]] = {stream: set() for stream in streams}
    by_key = {stream.key or 0: stream for stream in streams}
    rows = Membership.objects.filter(project_id__in=by_key).order_by("pk")
    for project_id, user_id in rows.values_list("project_id", "user_id")[:READERS_KEPT]:
        found[by_key[project_id]].add(user_id)
    return found


def readable_projects(user: User) -> QuerySet[Project]:
    return Project.objects.filter(memberships__user=user)


def membership_of(user: User, project_id: int) -> Membership:
    """Raises NotFound for strangers too: they may not know that the project exists."""
    found = (
        Membership.objects.select_related("user", "project")
        .filter(project_id=project_id, user_id=user.pk)
        .first()
    )
    if found is None:
        raise NotFound(STRANGE)
    return found


def writing_membership(user: User, project_id: int) -> Membership:
    """Raises NotFound, Forbidden (viewers read only). Person and project are not read along."""
    found = Membership.objects.filter(project_id=project_id, user_id=user.pk).first()
    if found is None:
        raise NotFound(STRANGE)
    require_writer(found.role)
    return found


def require_writer(role: str | None) -> None:
    """`role` is None for strangers. Raises NotFound, Forbidden (viewers read only)."""
    if role is None:
        raise NotFound(STRANGE)
    if role not in WRITERS:
        raise Forbidden(f"expected the role owner or member, got {role}")


def owning_membership(user: User, project_id: int) -> Membership:
    """Raises NotFound, Forbidden."""
    found = membership_of(user, project_id)
    if found.role != Role.OWNER:
        raise Forbidden(f"expected the role owner, got {found.role}")
    return found
