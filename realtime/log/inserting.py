"""A row's INSERT, compiled once for each table.

Django compiles it anew for every row, which costs several times what SQLite takes to run it. Only
the statement is kept: `save`, the values of the fields and the signals are Django's own, and what
a kept statement cannot say (expressions, placeholders of a field's own) is left to Django.
"""

from typing import TYPE_CHECKING, Any

from django.db import connections, models
from django.db.models.sql import InsertQuery

from realtime.backends.cursors import run

if TYPE_CHECKING:
    from collections.abc import Sequence

    Fields = Sequence[models.Field[Any, Any]]

# By database, model and number of fields: with the key or without it.
_statements: dict[tuple[str, type[models.Model], int], str | None] = {}


def inserted(
    row: models.Model,
    fields: "Fields",
    returning: "Fields",
    using: str,
) -> list[tuple[Any, ...]] | None:
    """Insert the row; the values of `returning`, as `Model._do_insert` gives them, or None where
    Django has to do it. `fields` are all those that it writes."""
    key = (using, type(row), len(fields))
    if key not in _statements:
        _statements[key] = _compiled(row, fields, returning, using)
    statement = _statements[key]
    if statement is None:
        return None
    connection = connections[using]
    given: list[Any] = []
    for field in fields:
        value = field.pre_save(row, add=True)
        if hasattr(value, "resolve_expression"):
            return None
        given.append(field.get_db_prep_save(value, connection))
    return run(connection, statement, given).rows


def _compiled(
    row: models.Model,
    fields: "Fields",
    returning: "Fields",
    using: str,
) -> str | None:
    """None where a value may change the statement, or where more comes back than the key."""
    connection = connections[using]
    plain = not any(hasattr(field, "get_placeholder") or field.has_db_default() for field in fields)
    key_only = list(returning) == [row._meta.auto_field]  # noqa: SLF001
    if not (plain and key_only and connection.features.can_return_columns_from_insert):
        return None
    query = InsertQuery(type(row))
    query.insert_values(fields, [type(row)()])
    compiler = query.get_compiler(using)
    compiler.returning_fields = returning
    ((statement, _),) = compiler.as_sql()
    return str(statement)
