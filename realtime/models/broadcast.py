"""What operators and owners say to many: the text, its way, and who got it."""

from datetime import datetime

from django.conf import settings
from django.db import models
from django.db.models.functions import Now

from realtime.models.stream import Stream
from realtime.protocol.streams import StreamName


class BroadcastScope(models.TextChoices):
    """The kind of stream that it stands in."""

    SYSTEM = "system"
    PROJECT = "project"
    USER = "user"


class BroadcastKind(models.TextChoices):
    """The type of its event."""

    MESSAGE = "broadcast_message"
    NOTIFICATION = "system_notification"
    MAINTENANCE = "maintenance_mode"


class BroadcastLevel(models.TextChoices):
    INFO = "info"
    SUCCESS = "success"
    WARNING = "warning"
    CRITICAL = "critical"


class BroadcastPriority(models.TextChoices):
    LOW = "low"
    NORMAL = "normal"
    HIGH = "high"
    URGENT = "urgent"


class BroadcastStatus(models.TextChoices):
    """`scheduled` waits for its time, `queued` for a worker; `published` stands in its stream, and
    its counts move. The others are ends: `completed` stood as long as texts are kept (or was
    followed by another maintenance notice), `failed` used up its job's attempts."""

    SCHEDULED = "scheduled"
    QUEUED = "queued"
    PUBLISHED = "published"
    COMPLETED = "completed"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    FAILED = "failed"


WAITING = (BroadcastStatus.SCHEDULED, BroadcastStatus.QUEUED)
OPEN = (*WAITING, BroadcastStatus.PUBLISHED)
ENDED = (
    BroadcastStatus.COMPLETED,
    BroadcastStatus.EXPIRED,
    BroadcastStatus.CANCELLED,
    BroadcastStatus.FAILED,
)


class Broadcast(models.Model):
    """`seq` is its event's place in `stream`. `addressed` is the number of people at the moment of
    publishing, and an estimate before; `delivered` and `acknowledged` are of those, `late` are
    people who came later and have it. Counts never fall, and stay as they are once it has ended.
    """

    stream = models.ForeignKey(Stream, on_delete=models.CASCADE, related_name="broadcasts")
    scope = models.CharField(max_length=8, choices=BroadcastScope)
    kind = models.CharField(max_length=24, choices=BroadcastKind, default=BroadcastKind.MESSAGE)
    title = models.CharField(max_length=200)
    body = models.TextField(help_text="Markdown.")
    html = models.TextField(editable=False)
    level = models.CharField(max_length=8, choices=BroadcastLevel, default=BroadcastLevel.INFO)
    priority = models.CharField(
        max_length=8, choices=BroadcastPriority, default=BroadcastPriority.NORMAL
    )
    must_acknowledge = models.BooleanField(default=False)
    maintenance_on = models.BooleanField(default=True)
    starts_at = models.DateTimeField(null=True, blank=True)
    ends_at = models.DateTimeField(null=True, blank=True)
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        related_name="broadcasts",
    )
    digest = models.CharField(max_length=64, editable=False)  # of what makes two the same
    status = models.CharField(
        max_length=10, choices=BroadcastStatus, default=BroadcastStatus.QUEUED
    )
    job = models.BigIntegerField(null=True, editable=False)
    seq = models.BigIntegerField(null=True, editable=False)
    addressed = models.PositiveIntegerField(default=0)
    delivered = models.PositiveIntegerField(default=0)
    acknowledged = models.PositiveIntegerField(default=0)
    late = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField(db_default=Now())
    publish_at = models.DateTimeField(null=True, blank=True)
    published_at = models.DateTimeField(null=True, blank=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    counted_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        permissions = [("broadcast_to_everyone", "May speak to everyone and announce maintenance")]
        indexes = [
            models.Index(
                fields=["stream", "seq"],
                name="broadcast_standing",
                condition=models.Q(status=BroadcastStatus.PUBLISHED),
            ),
            models.Index(fields=["status", "ended_at"], name="broadcast_ended"),
            models.Index(fields=["author", "scope", "created_at"], name="broadcast_author"),
            models.Index(fields=["stream", "digest", "created_at"], name="broadcast_digest"),
        ]

    def __str__(self) -> str:
        return f"{self.title} #{self.pk}"

    @property
    def subject(self) -> str:
        """What its event is marked with, so that its text can be taken back out of the log."""
        return f"broadcast.{self.pk}"

    @property
    def target(self) -> int | None:
        """The project's or the person's id."""
        return StreamName.parse(self.stream.name).key

    def expired(self, now: datetime) -> bool:
        return self.expires_at is not None and self.expires_at <= now


class BroadcastAudience(models.Model):
    """Who was addressed, packed (`realtime.broadcasts.audience`): one row instead of one each."""

    broadcast = models.OneToOneField(
        Broadcast, on_delete=models.CASCADE, primary_key=True, related_name="audience"
    )
    people = models.BinaryField()

    def __str__(self) -> str:
        return f"audience of {self.broadcast_id}"


class BroadcastAcknowledgement(models.Model):
    """The person has said that they have read it."""

    # Indexed by the constraint below, which begins with it.
    broadcast = models.ForeignKey(
        Broadcast, on_delete=models.CASCADE, related_name="acknowledgements", db_index=False
    )
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="acknowledgements"
    )
    at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["broadcast", "user"], name="acknowledged_once")
        ]

    def __str__(self) -> str:
        return f"{self.user_id} of {self.broadcast_id}"


class BroadcastDay(models.Model):
    """What is kept of the broadcasts of a day when their rows are cleaned away."""

    day = models.DateField()
    scope = models.CharField(max_length=8, choices=BroadcastScope)
    status = models.CharField(max_length=10, choices=BroadcastStatus)
    number = models.PositiveIntegerField(default=0)
    addressed = models.PositiveBigIntegerField(default=0)
    delivered = models.PositiveBigIntegerField(default=0)
    acknowledged = models.PositiveBigIntegerField(default=0)
    late = models.PositiveBigIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["day", "scope", "status"], name="broadcast_day_once")
        ]

    def __str__(self) -> str:
        return f"{self.day} {self.scope} {self.status}"
