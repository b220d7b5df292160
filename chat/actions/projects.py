"""Making projects and changing who is in them."""

from django.db import transaction

from chat.models import Membership, Project, Role, User
from chat.queries.access import membership_of, owning_membership
from realtime.log.locks import lock_streams
from realtime.protocol.errors import BadRequest, Conflict, NotFound
from realtime.protocol.streams import project_stream, user_stream
from realtime.retrying import retried


@retried
@transaction.atomic
def create_project(creator: User, *, name: str, description: str = "") -> Project:
    """A project with its creator as owner."""
    lock_streams(user_stream(creator.pk))
    project = Project(name=name, description=description, created_by=creator)
    project.save()
    return project


@retried
@transaction.atomic
def update_project(
    actor: User, project_id: int, *, name: str | None = None, description: str | None = None
) -> Project:
    """Owners only. Raises NotFound, Forbidden."""
    lock_streams(project_stream(project_id))
    project = owning_membership(actor, project_id).project
    project = Project.objects.get(pk=project.pk)
    if name is not None:
        project.name = name
    if description is not None:
        project.description = description
    project.save()
    return project


@retried
@transaction.atomic
def delete_project(actor: User, project_id: int) -> None:
    """Owners only; everything of the project goes. Raises NotFound, Forbidden."""
    lock_streams(project_stream(project_id))
    owning_membership(actor, project_id)
    Project.objects.get(pk=project_id).delete()


@retried
@transaction.atomic
def set_member(actor: User, project_id: int, *, user_id: int, role: str) -> Membership:
    """Add a person or change their role; owners only. Raises NotFound, Forbidden, Conflict."""
    if role not in Role.values:
        raise BadRequest(f"role: expected one of {', '.join(Role.values)}, got {role!r}")
    lock_streams(project_stream(project_id), user_stream(user_id))
    owning_membership(actor, project_id)
    if not User.objects.filter(pk=user_id, is_active=True).exists():
        raise NotFound(f"user: expected an active account, got {user_id}")
    found = (
        Membership.objects.select_related("user")
        .filter(project_id=project_id, user_id=user_id)
        .first()
    )
    if found is None:
        found = Membership(project_id=project_id, user_id=user_id)
    elif found.role == role:
        return found
    _keep_an_owner(found, role)
    found.role = role
    found.save()
    return found


@retried
@transaction.atomic
def remove_member(actor: User, project_id: int, user_id: int) -> None:
    """An owner removes anyone, everyone may leave. Raises NotFound, Forbidden, Conflict."""
    lock_streams(project_stream(project_id), user_stream(user_id))
    if actor.pk == user_id:
        membership_of(actor, project_id)
    else:
        owning_membership(actor, project_id)
    found = Membership.objects.filter(project_id=project_id, user_id=user_id).first()
    if found is None:
        raise NotFound(f"user: expected a member of the project, got {user_id}")
    _keep_an_owner(found, None)
    found.delete()


def _keep_an_owner(membership: Membership, role: str | None) -> None:
    """Under the project's lock: the last owner can neither leave nor step down."""
    if membership.pk is None or membership.role != Role.OWNER or role == Role.OWNER:
        return
    others = Membership.objects.filter(project_id=membership.project_id, role=Role.OWNER)
    if not others.exclude(pk=membership.pk).exists():
        raise Conflict("user: expected another owner to stay, got the last one")
