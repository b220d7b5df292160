"""Projects and memberships."""

from collections.abc import Iterable
from typing import Any, ClassVar

from django.conf import settings
from django.db import models, transaction

from realtime.log.locks import lock_streams
from realtime.log.logged import LoggedModel, LoggedQuerySet, SilentWrite
from realtime.models.stream import Stream
from realtime.protocol.streams import project_stream, user_stream


class Role(models.TextChoices):
    OWNER = "owner"
    MEMBER = "member"
    VIEWER = "viewer"


class ProjectQuerySet(LoggedQuerySet["Project"]):  # type: ignore[override, unused-ignore]
    """Projects are made one by one, because each is made with its owner and a conversation."""

    def bulk_create(self, objs: Iterable["Project"], *args: Any, **kwargs: Any) -> list["Project"]:
        raise SilentWrite(
            "bulk_create: expected projects to be saved one by one, because each gets its owner "
            "and its first conversation; got many at once"
        )

    def delete(self) -> tuple[int, dict[str, int]]:
        with transaction.atomic():
            # Its own stream first: under this lock the members cannot change any more.
            lock_streams(*(project_stream(key) for key in self.values_list("pk", flat=True)))
            return super().delete()


class Project(LoggedModel):
    """A room of people, messages and memories; its events stand in `project.<id>`."""

    objects: ClassVar[Any] = ProjectQuerySet.as_manager()  # type: ignore[assignment, unused-ignore]

    name = models.CharField(max_length=200)
    description = models.TextField(blank=True, default="")
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="projects_created"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    members: Any = models.ManyToManyField(
        settings.AUTH_USER_MODEL, through="Membership", related_name="projects"
    )

    def __str__(self) -> str:
        return self.name

    def save(self, *args: Any, **kwargs: Any) -> None:
        """A new project has its creator as owner and one conversation, in the same commit."""
        creating = self._state.adding
        with transaction.atomic():
            super().save(*args, **kwargs)
            if creating:
                self.memberships.create(user=self.created_by, role=Role.OWNER)
                self.sessions.create(title="General")

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        with transaction.atomic():
            lock_streams(*self.stream_names())  # before the members are read
            return super().delete(*args, **kwargs)

    def stream_names(self) -> list[str]:
        """Its own; while it is not stored it has none, and its creator is told that it is made."""
        return [project_stream(self.pk) if self.pk else user_stream(self.created_by_id)]

    def ending_stream_names(self) -> list[str]:
        """Each member is told of the end. The caller holds the project's own stream."""
        people = self.memberships.order_by("user_id").values_list("user_id", flat=True)
        return [*self.stream_names(), *map(user_stream, people)]


class HeadWhenAdded(models.BigIntegerField):  # type: ignore[type-arg]
    """The head of the project's stream, under its lock, when the row was added.

    Set here and not in `save()`, so that bulk paths have it too.
    """

    def pre_save(self, model_instance: Any, add: bool) -> Any:
        if add:
            name = project_stream(model_instance.project_id)
            head = Stream.objects.filter(name=name).values_list("head", flat=True).first()
            setattr(model_instance, self.attname, head or 0)
        return super().pre_save(model_instance, add)

    def deconstruct(self) -> Any:
        """For migrations a plain number: they need not know how it comes about."""
        name, _, arguments, options = super().deconstruct()
        return name, "django.db.models.BigIntegerField", arguments, options


class Membership(LoggedModel):
    """A person's place in a project. Ends of membership stand in both streams.

    Addressed to the person is what has a seq above `joined_seq`.
    """

    anchors = ("project_id", "user_id")
    announced_with = ("user",)

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="memberships")
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="memberships"
    )
    role = models.CharField(max_length=10, choices=Role.choices, default=Role.MEMBER)
    joined_at = models.DateTimeField(auto_now_add=True)
    joined_seq = HeadWhenAdded(default=0, editable=False)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["project", "user"], name="membership_once")]

    def __str__(self) -> str:
        return f"{self.user} in {self.project} ({self.role})"

    def stream_names(self) -> list[str]:
        return [project_stream(self.project_id), user_stream(self.user_id)]
