"""What people and the AI say."""

from typing import Any, ClassVar

from django.conf import settings
from django.db import models

from chat.models.project import Project
from realtime.log.logged import LoggedModel, LoggedQuerySet
from realtime.protocol.streams import project_stream


class SessionStatus(models.TextChoices):
    """What the AI does in a conversation: the liveliest of its runs."""

    IDLE = "idle"
    QUEUED = "queued"
    THINKING = "thinking"
    WRITING = "writing"


class ChatSession(LoggedModel):
    """A conversation within a project; each project has one from the start."""

    anchors = ("project_id",)

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="sessions")
    title = models.CharField(max_length=200)
    status = models.CharField(
        max_length=10, choices=SessionStatus, default=SessionStatus.IDLE, editable=False
    )
    created_at = models.DateTimeField(auto_now_add=True)
    closed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = "chat session"

    def __str__(self) -> str:
        return self.title

    def stream_names(self) -> list[str]:
        return [project_stream(self.project_id)]


class MessageKind(models.TextChoices):
    USER = "user"
    AI = "ai"
    SYSTEM = "system"


class MessageQuerySet(LoggedQuerySet["Message"]):  # type: ignore[override, unused-ignore]
    """Marking messages as deleted takes their texts, in bulk as one by one."""

    def update(self, **kwargs: Any) -> int:
        if kwargs.get("deleted_at") is not None:
            kwargs["body"] = ""
        return super().update(**kwargs)


def subject_of(message_id: int) -> str:
    return f"message.{message_id}"


class Message(LoggedModel):
    """One message. A deleted one keeps its row, so that replies keep their place, and no text.

    `client_ref` is the author's own reference: the same one again is the same message.
    """

    anchors = ("project_id",)
    announced_with = ("author",)

    objects: ClassVar[Any] = MessageQuerySet.as_manager()  # type: ignore[assignment, unused-ignore]

    # Project and author have no index of their own: those of Meta begin with them, and each index
    # is one more page that every message writes.
    project = models.ForeignKey(
        Project, on_delete=models.CASCADE, related_name="messages", db_index=False
    )
    session = models.ForeignKey(ChatSession, on_delete=models.CASCADE, related_name="messages")
    kind = models.CharField(max_length=10, choices=MessageKind.choices, default=MessageKind.USER)
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="messages",
        db_index=False,
    )
    body = models.TextField(blank=True)
    client_ref = models.CharField(max_length=64, null=True, blank=True)
    reply_to = models.ForeignKey(
        "self", on_delete=models.RESTRICT, null=True, blank=True, related_name="replies"
    )
    created_at = models.DateTimeField(auto_now_add=True, db_index=True)
    edited_at = models.DateTimeField(null=True, blank=True)
    deleted_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["author", "client_ref"], name="message_client_ref"),
            # Whoever writes, in SQL too: a text that was taken away is nowhere.
            models.CheckConstraint(
                condition=models.Q(deleted_at=None) | models.Q(body=""),
                name="message_deleted_has_no_text",
            ),
        ]
        indexes = [models.Index(fields=["project", "id"], name="message_project_id")]

    def __str__(self) -> str:
        return f"message {self.pk}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        if self.deleted_at is not None:
            self.body = ""
            if kwargs.get("update_fields") is not None:
                kwargs["update_fields"] = {*kwargs["update_fields"], "body"}
        super().save(*args, **kwargs)

    def stream_names(self) -> list[str]:
        return [project_stream(self.project_id)]

    @property
    def subject(self) -> str:
        """How stored frames that hold this message's text name it."""
        return subject_of(self.pk)


class ReadCursor(models.Model):
    """How far a person has read a project's stream; moves forward only.

    seq: as everybody was told; wanted: as the person said, to be told with the next event.
    """

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="read_cursors")
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="read_cursors"
    )
    seq = models.BigIntegerField(default=0)
    wanted = models.BigIntegerField(default=0)
    moved_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["project", "user"], name="read_cursor_once")]

    def __str__(self) -> str:
        return f"{self.user_id} has read {self.project_id} to {self.seq}"


class ReadNotice(models.Model):
    """When `message_read` was last told in a project, by the database's clock."""

    project = models.OneToOneField(
        Project, on_delete=models.CASCADE, primary_key=True, related_name="read_notice"
    )
    told_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.project_id} at {self.told_at}"
