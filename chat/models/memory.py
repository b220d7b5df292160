"""What a project remembers."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, ClassVar, Self

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models, transaction
from django.dispatch import Signal
from django.utils import timezone

from chat.conf import options
from chat.models.message import subject_of
from chat.models.project import Project
from chat.models.relevance import Relevance, relevance_of
from realtime.log.locks import lock_streams, own_transaction
from realtime.log.logged import LoggedModel, LoggedQuerySet
from realtime.protocol.streams import project_stream

# Of `Memory`, with `memories` and `going`: they were changed, or are about to be deleted, in this
# transaction. Once for all of a bulk write, where `post_save` comes for each.
memories_touched = Signal()


class MemoryKind(models.TextChoices):
    FACT = "fact"
    DECISION = "decision"
    ISSUE = "issue"
    TASK = "task"
    NOTE = "note"
    RISK = "risk"


class MemoryStatus(models.TextChoices):
    """`PROPOSED`: taken from what somebody said, by no person yet. It is kept once a member accepts
    it; until then it is told to clients and to nobody else: no search, no summary, no model."""

    KEPT = "kept"
    PROPOSED = "proposed"


class MemoryQuerySet(LoggedQuerySet["Memory"]):  # type: ignore[override, unused-ignore]
    def kept(self) -> Self:
        """Without proposals."""
        return self.filter(status=MemoryStatus.KEPT)

    def proposed(self) -> Self:
        """Proposals that nobody has accepted or discarded yet."""
        return self.filter(status=MemoryStatus.PROPOSED)

    def _announce(self, rows: Iterable["Memory"], *, created: bool) -> None:
        news = list(rows)
        super()._announce(news, created=created)
        if not created:
            memories_touched.send(Memory, memories=news, going=False)

    def bulk_create(self, objs: Iterable["Memory"], *args: Any, **kwargs: Any) -> list["Memory"]:
        rows, now = list(objs), timezone.now()
        for row in rows:
            row.relevance = row.relevance_at(now)
        return super().bulk_create(rows, *args, **kwargs)

    def delete(self) -> tuple[int, dict[str, int]]:
        with transaction.atomic():
            memories_touched.send(Memory, memories=self._locked(deleting=True), going=True)
            return super().delete()


class Memory(LoggedModel):
    """`importance` is from 0 to 1; `reference` names where it came from, once per project.

    relevance: as it was told last; uses, used_at: how often it mattered, and when last. What is
    pinned does not fade
    source_message: the id of the message that it was taken from. No foreign key: an accepted memory
    is the members' own and outlives the message
    expires_at: it is deleted then; `expiring` from a day before, which is told as a change
    """

    anchors = ("project_id",)
    announced_with = ("dependencies",)

    objects: ClassVar[Any] = MemoryQuerySet.as_manager()  # type: ignore[assignment, unused-ignore]

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="memories")
    kind = models.CharField(max_length=10, choices=MemoryKind.choices, default=MemoryKind.NOTE)
    title = models.CharField(max_length=200)
    body = models.TextField(blank=True, default="", max_length=16_000)
    importance = models.FloatField(
        default=0.5, validators=[MinValueValidator(0.0), MaxValueValidator(1.0)]
    )
    pinned = models.BooleanField(default=False)
    relevance = models.CharField(
        max_length=6, choices=Relevance, default=Relevance.HIGH, editable=False
    )
    uses = models.PositiveIntegerField(default=0, editable=False)
    used_at = models.DateTimeField(null=True, editable=False)
    status = models.CharField(
        max_length=8, choices=MemoryStatus, default=MemoryStatus.KEPT, editable=False
    )
    source_message = models.BigIntegerField(null=True, editable=False)
    reference = models.CharField(max_length=200, null=True, blank=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    expiring = models.BooleanField(default=False, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        verbose_name_plural = "memories"
        constraints = [
            models.UniqueConstraint(fields=["project", "reference"], name="memory_reference")
        ]
        indexes = [
            models.Index(fields=["project", "-id"], name="memory_project_id"),
            models.Index(
                fields=["expires_at"],
                name="memory_expires",
                condition=models.Q(expires_at__isnull=False),
            ),
            models.Index(
                fields=["project", "id"],
                name="memory_proposed",
                condition=models.Q(status=MemoryStatus.PROPOSED),
            ),
            models.Index(
                fields=["source_message"],
                name="memory_proposed_from",
                condition=models.Q(status=MemoryStatus.PROPOSED),
            ),
        ]

    def __str__(self) -> str:
        return self.title

    def save(self, *args: Any, **kwargs: Any) -> None:
        creating = self._state.adding
        if creating:
            self.relevance = self.relevance_at(timezone.now())
        with own_transaction():
            super().save(*args, **kwargs)
            if not creating:
                memories_touched.send(Memory, memories=[self], going=False)

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        with own_transaction():
            lock_streams(*self.stream_names())
            memories_touched.send(Memory, memories=[self], going=True)
            return super().delete(*args, **kwargs)

    def stream_names(self) -> list[str]:
        return [project_stream(self.project_id)]

    def relevance_at(self, now: datetime) -> Relevance:
        if self.pinned:
            return Relevance.HIGH
        touched = [at for at in (self.updated_at, self.used_at) if at is not None]
        half_life_days = options().memory_half_life_days
        return relevance_of(
            self.importance, max(touched, default=now), self.uses, now, half_life_days
        )

    @property
    def subject(self) -> str | None:
        """What its events hold text of: a proposal repeats what a message says, and goes with it.
        The text of a memory that is kept belongs to no message."""
        if self.status != MemoryStatus.PROPOSED or self.source_message is None:
            return None
        return subject_of(self.source_message)


class MemoryDependency(LoggedModel):
    """`memory` rests on `depends_on`, of the same project.

    An event of a memory's dependencies has all of them.
    """

    anchors = ("memory_id",)
    announced_with = ("memory",)
    tells_whole_of = "memory_id"

    memory = models.ForeignKey(Memory, on_delete=models.CASCADE, related_name="dependencies")
    depends_on = models.ForeignKey(Memory, on_delete=models.CASCADE, related_name="dependents")

    class Meta:
        verbose_name_plural = "memory dependencies"
        constraints = [
            models.UniqueConstraint(fields=["memory", "depends_on"], name="dependency_once"),
            models.CheckConstraint(
                condition=~models.Q(memory=models.F("depends_on")), name="dependency_not_itself"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.memory_id} depends on {self.depends_on_id}"

    def stream_names(self) -> list[str]:
        return [project_stream(self.memory.project_id)]
