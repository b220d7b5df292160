"""Which processes run and what each finds of itself, and the one board with the whole."""

from django.db import models
from django.db.models.functions import Now


class MemberKind(models.TextChoices):
    NODE = "node"
    WORKER = "worker"


class Member(models.Model):
    """A process that is alive: it renews `seen_at`, by the database's clock, every 2 s.

    `report` is {component: {"state", "text", "values": {measure: number}}} of what it looks at.
    """

    id = models.CharField(max_length=48, primary_key=True)
    kind = models.CharField(max_length=8, choices=MemberKind)
    host = models.CharField(max_length=80)
    pid = models.PositiveIntegerField()
    started_at = models.DateTimeField(db_default=Now())
    seen_at = models.DateTimeField(db_default=Now(), db_index=True)
    report = models.JSONField(default=dict)

    def __str__(self) -> str:
        return f"{self.kind} {self.id}"


class Board(models.Model):
    """One row. Who holds it looks at what is looked at once across the system, and writes `view`,
    the state of the whole; `version` rises with every change of a state."""

    holder = models.CharField(max_length=48, default="", blank=True)
    until = models.DateTimeField(db_default=Now())
    version = models.BigIntegerField(default=0)
    view = models.JSONField(default=dict)

    def __str__(self) -> str:
        return f"board version {self.version}"
