"""The statement of a row's INSERT is kept; what is written is what Django would write."""

import pytest
from django.db.models import Value
from django.db.models.functions import Lower
from django.db.models.sql.compiler import SQLInsertCompiler

from chat.models import Message
from tests.log.world import World, frames, head

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def compiled(world: World, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The tables of the INSERTs that Django compiles, after a first row of each kind."""
    world.message().save()
    Message(pk=10_000, project=world.project, session=world.session, author=world.ada).save()
    tables: list[str] = []
    django = SQLInsertCompiler.as_sql

    def noting(self: SQLInsertCompiler) -> object:
        tables.append(self.query.get_meta().db_table)
        return django(self)

    monkeypatch.setattr(SQLInsertCompiler, "as_sql", noting)
    return tables


def test_a_row_is_written_as_django_writes_it(world: World, compiled: list[str]) -> None:
    """Every column, the automatic ones too, and the key comes back."""
    body = 'Zürich "north" \\ %s ?'
    row = world.message(body, client_ref="ref-1", reply_to_id=10_000)
    row.save()
    stored = Message.objects.get(pk=row.pk)
    columns = [field.attname for field in Message._meta.concrete_fields]
    assert [getattr(stored, name) for name in columns] == [getattr(row, name) for name in columns]
    assert (stored.body, stored.reply_to_id, stored.kind) == (body, 10_000, "user")
    assert stored.created_at is not None
    assert compiled == []


def test_a_row_with_a_key_of_its_own_is_written_so(world: World, compiled: list[str]) -> None:
    """Its statement is another one."""
    Message(pk=20_000, project=world.project, session=world.session, body="imported").save()
    assert Message.objects.get(pk=20_000).body == "imported"
    assert compiled == []


def test_an_expression_is_left_to_django(world: World, compiled: list[str]) -> None:
    """It is a part of the statement, and the event tells what the database made of it."""
    before = head(world.stream)
    row = world.message()
    row.body = Lower(Value("SPOKEN"))
    row.save()
    assert Message.objects.get(pk=row.pk).body == "spoken"
    assert frames(world.stream, before)[0]["data"]["message"]["body"] == "spoken"
    assert compiled == ["chat_message"]
