"""The base of models whose changes are events.

`save()` and `delete()` run in one transaction with the receivers of their signals, and lock the
streams of the row first. Without it Django sends `post_save` after the row's own commit, and row
and event would be two transactions.
"""

from collections.abc import Collection, Iterable, Sequence
from typing import Any, ClassVar, Generic, Self, TypeVar, cast

from django.db import connection, models, transaction
from django.db.models.signals import post_save

from realtime.log.inserting import inserted
from realtime.log.locks import lock_streams, own_transaction
from realtime.log.writing import publishing_together
from realtime.protocol.errors import RealtimeError

Row = TypeVar("Row", bound="LoggedModel")


class SilentWrite(RealtimeError):
    """A writer's own fault: this way of writing could not tell anyone what it changed."""


class LoggedQuerySet(models.QuerySet[Row], Generic[Row]):
    """Bulk writes that lock, write and announce; those that cannot name their rows are refused."""

    def _locked(self, *, deleting: bool = False) -> list[Row]:
        """The rows, read under the locks of their streams (which are found first, unlocked)."""
        if self.query.is_sliced:
            raise TypeError("expected a bulk write of all matching rows, got a slice")
        rows: list[Row] = list(self.all())
        lock_streams(
            *{
                name
                for row in rows
                for name in (row.ending_stream_names() if deleting else row.stream_names())
            }
        )
        # Matched again: while the lock was awaited, another writer may have changed the row.
        matching = self.filter(pk__in=[row.pk for row in rows]).values_list("pk", flat=True)
        fresh = self.model._default_manager.filter(pk__in=list(matching))  # noqa: SLF001
        return cast("list[Row]", list(fresh.select_for_update().order_by("pk")))

    def _announce(self, rows: Iterable[Row], *, created: bool) -> None:
        whole = self.model.tells_whole_of
        news = list({getattr(row, whole): row for row in rows}.values()) if whole else rows
        with publishing_together():
            for row in news:
                post_save.send(
                    sender=self.model,
                    instance=row,
                    created=created,
                    update_fields=None,
                    raw=False,
                    using=self.db,
                )

    def _announce_stored(self, keys: Collection[Any]) -> None:
        """The rows as they are now, read with what their events show of other rows."""
        plain: models.QuerySet[Row] = models.QuerySet(self.model, using=self.db)
        stored = plain.filter(pk__in=keys).order_by("pk")
        self._announce(stored.prefetch_related(*self.model.announced_with), created=False)

    def update(self, **kwargs: Any) -> int:
        self.model.refuse_anchors(kwargs)
        with transaction.atomic():
            keys = [row.pk for row in self._locked()]
            plain: models.QuerySet[Row] = models.QuerySet(self.model, using=self.db)
            count = plain.filter(pk__in=keys).update(**kwargs)
            self._announce_stored(keys)
        return count

    def delete(self) -> tuple[int, dict[str, int]]:
        with transaction.atomic():
            # Django collects the rows and sends post_delete for each: the receivers announce.
            self._locked(deleting=True)
            with publishing_together():
                return super().delete()

    def bulk_create(
        self,
        objs: Iterable[Row],
        batch_size: int | None = None,
        ignore_conflicts: bool = False,
        update_conflicts: bool = False,
        *args: Any,
        **kwargs: Any,
    ) -> list[Row]:
        rows = list(objs)
        if ignore_conflicts or update_conflicts:
            raise SilentWrite(
                "bulk_create: expected no ignore_conflicts or update_conflicts, because which "
                "rows were written is then unknown; save the rows one by one"
            )
        with transaction.atomic():
            lock_streams(*{name for row in rows for name in row.stream_names()})
            made = super().bulk_create(rows, batch_size)
            self._announce(made, created=True)
        return made

    def bulk_update(
        self, objs: Iterable[Row], fields: Iterable[str], batch_size: int | None = None
    ) -> int:
        rows, names = list(objs), list(fields)
        self.model.refuse_anchors(names)
        with transaction.atomic():
            lock_streams(*{name for row in rows for name in row.stream_names()})
            self.model.refuse_moved(rows)
            plain: models.QuerySet[Row] = models.QuerySet(self.model, using=self.db)
            count = plain.bulk_update(rows, names, batch_size)
            self._announce_stored([row.pk for row in rows])
        return count

    def _raw_delete(self, using: str | None) -> Any:
        # Collector.delete() calls this for rows that nobody listens to; ours always have listeners.
        raise SilentWrite(f"{self.model.__name__}: expected delete(), got a raw delete")


def _moved(model: type[models.Model], anchors: Iterable[str]) -> str:
    return (
        f"{model.__name__}: expected {', '.join(sorted(anchors))} to stay, because a row that "
        "moves is lost to the readers of one stream and to those of the other; delete it and "
        "make another"
    )


class LoggedModel(models.Model):
    """Give `stream_names`; connect receivers that publish; everything else follows.

    anchors: columns that choose the row's streams, e.g. "project_id". They never change: the row
    would be missing in its new stream and left behind in the old one, for every client.
    announced_with: relations that the row's event shows, read once for all rows of a bulk write
    tells_whole_of: a column; the event of one row tells of all rows that have the same value, so a
    bulk write announces one of them
    """

    anchors: ClassVar[tuple[str, ...]] = ()
    announced_with: ClassVar[tuple[str, ...]] = ()
    tells_whole_of: ClassVar[str | None] = None

    objects: ClassVar[Any] = LoggedQuerySet.as_manager()

    class Meta:
        abstract = True
        # Or `project.messages.add(row)` would write through Django's own manager, silently.
        base_manager_name = "objects"

    def stream_names(self) -> Sequence[str]:
        """The streams that a change of this row appears in, as far as they exist already."""
        raise TypeError(f"{type(self).__name__}: expected stream_names() to be given, got none")

    def ending_stream_names(self) -> Sequence[str]:
        """The streams that deleting this row, and what goes down with it, appears in."""
        return self.stream_names()

    @classmethod
    def refuse_anchors(cls, written: Iterable[str]) -> None:
        """Raises SilentWrite where an anchor is among the fields of a bulk write."""
        fields = {anchor: cls._meta.get_field(anchor).name for anchor in cls.anchors}
        if moved := {*fields, *fields.values()}.intersection(written):
            raise SilentWrite(_moved(cls, moved))

    @classmethod
    def refuse_moved(cls, rows: Iterable["LoggedModel"]) -> None:
        """Raises SilentWrite where a row's anchors are not those that are stored."""
        if not cls.anchors:
            return
        mine = {row.pk: tuple(getattr(row, anchor) for anchor in cls.anchors) for row in rows}
        stored = cls._base_manager.filter(pk__in=mine).values_list("pk", *cls.anchors)
        for key, *anchors in stored:
            if mine[key] != tuple(anchors):
                raise SilentWrite(_moved(cls, cls.anchors))

    def save(self, *args: Any, **kwargs: Any) -> None:
        with own_transaction():
            lock_streams(*self.stream_names())
            # Also of a row that was not read: its key may be that of a stored one.
            if self.pk is not None:
                self.refuse_moved([self])
            # A row that cannot be written takes what is around it along, as with Django's own.
            with transaction.mark_for_rollback_on_error(connection.alias):
                super().save(*args, **kwargs)

    def _do_insert(
        self, manager: Any, using: Any, fields: Any, returning_fields: Any, raw: Any
    ) -> Any:
        """Django's own, by a statement that is kept."""
        if not raw and manager.model is type(self):
            found = inserted(self, fields, returning_fields, using)
            if found is not None:
                return found
        return super()._do_insert(manager, using, fields, returning_fields, raw)  # type: ignore[misc]

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        with own_transaction():
            lock_streams(*self.ending_stream_names())
            with publishing_together():
                return super().delete(*args, **kwargs)

    def as_stored(self, update_fields: Iterable[str] | None) -> Self:
        """This row, or a fresh reading of it when memory may differ from the table:
        after a partial save, or where a field was given as an expression."""
        partial = update_fields is not None
        if partial or any(
            hasattr(self.__dict__.get(field.attname), "resolve_expression")
            for field in self._meta.concrete_fields
        ):
            return type(self)._base_manager.get(pk=self.pk)  # noqa: SLF001
        return self
