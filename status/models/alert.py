"""Rules, and the alerts that they opened."""

from django.conf import settings
from django.db import models
from django.db.models.functions import Now


class Severity(models.TextChoices):
    """In rising order."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"


class Comparison(models.TextChoices):
    ABOVE = "above", "at or above"
    BELOW = "below", "at or below"


class Subjects(models.TextChoices):
    """What a rule has an alert each for."""

    SYSTEM = "system", "one for the system"
    MEMBER = "member", "one for each process"
    ERROR = "error", "one for each class of errors"


class AlertRule(models.Model):
    """When is how much too much, for how long?

    `expression` is arithmetic over measures (`redis.used_bytes / redis.max_bytes * 100`). It must
    be at or beyond `threshold` for `duration_s` to open an alert, and on the good side of
    `clear_threshold` (that of `threshold` where it is empty) for `clear_after_s` to close it.
    At or beyond `escalate_threshold`, or unacknowledged for `escalate_after_s`, it is critical.
    `error` says why the rule could not be evaluated the last time, "" if it could.
    """

    name = models.CharField(max_length=60, unique=True)
    component = models.CharField(max_length=40)
    text = models.CharField(max_length=200)
    expression = models.CharField(max_length=300)
    comparison = models.CharField(max_length=5, choices=Comparison, default=Comparison.ABOVE)
    threshold = models.FloatField()
    clear_threshold = models.FloatField(null=True, blank=True)
    duration_s = models.FloatField(default=5.0)
    clear_after_s = models.FloatField(default=10.0)
    severity = models.CharField(max_length=8, choices=Severity, default=Severity.WARNING)
    escalate_threshold = models.FloatField(null=True, blank=True)
    escalate_after_s = models.FloatField(null=True, blank=True)
    subjects = models.CharField(max_length=8, choices=Subjects, default=Subjects.SYSTEM)
    enabled = models.BooleanField(default=True)
    error = models.CharField(max_length=300, default="", blank=True)

    def __str__(self) -> str:
        return self.name


class AlertState(models.TextChoices):
    PENDING = "pending"  # beyond the threshold, not yet for long enough
    OPEN = "open"
    CLOSED = "closed"


class Alert(models.Model):
    """One story of one rule and subject (a process, an error class, or "" for the system).

    Every change is an UPDATE of the row at the `version` that was read: one node wins.
    `tried` lists what was tried meanwhile, each {"at", "text"}; `samples` what errors said.
    """

    rule = models.ForeignKey(AlertRule, on_delete=models.CASCADE, related_name="alerts")
    subject = models.CharField(max_length=200, default="", blank=True)
    state = models.CharField(max_length=8, choices=AlertState, default=AlertState.PENDING)
    severity = models.CharField(max_length=8, choices=Severity)
    version = models.PositiveIntegerField(default=0)
    value = models.FloatField(null=True, blank=True)
    since = models.DateTimeField()
    opened_at = models.DateTimeField(null=True, blank=True)
    escalated_at = models.DateTimeField(null=True, blank=True)
    acknowledged_at = models.DateTimeField(null=True, blank=True)
    acknowledged_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
    )
    clear_since = models.DateTimeField(null=True, blank=True)
    closed_at = models.DateTimeField(null=True, blank=True)
    ended = models.CharField(max_length=300, default="", blank=True)
    flaps = models.PositiveIntegerField(default=0)
    tried = models.JSONField(default=list, blank=True)
    samples = models.JSONField(default=list, blank=True)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["rule", "subject"],
                name="alert_live_once",
                condition=~models.Q(state=AlertState.CLOSED),
            )
        ]
        indexes = [models.Index(fields=["closed_at"], name="alert_closed")]

    def __str__(self) -> str:
        return f"alert {self.pk} of {self.rule_id} ({self.state})"
