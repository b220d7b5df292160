"""Entries belong to the transaction of what they record."""

import json
import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction

from chat.models import User
from realtime.audit.guards import installed
from realtime.audit.hashing import ORIGIN, entry_hash
from realtime.audit.recording import record, write_recorded
from realtime.audit.verifying import content_of, findings
from realtime.backends import last
from realtime.log.locks import OutsideTransaction, lock_streams
from realtime.models import AuditChain, AuditEntry, Stream
from realtime.models.audit import AppendOnly
from tests.audit.entries import recorded


def note(action: str = "tested", **given: Any) -> None:
    record(action, **{"actor": None, "target": "this", "result": "done", **given})


@transaction.atomic
def note_in_vain() -> None:
    note("dropped")
    raise ZeroDivisionError


@pytest.mark.django_db
def test_entries_follow_each_other() -> None:
    """Each carries the hash of the one before; the chain's row knows the last one."""
    for number in range(3):
        with transaction.atomic():
            note(details={"number": number})
    first, second, third = recorded()
    assert [row.seq for row in (first, second, third)] == [1, 2, 3]
    assert (first.previous, second.previous, third.previous) == (ORIGIN, first.hash, second.hash)
    assert first.hash == entry_hash(1, ORIGIN, content_of(first))
    chain = AuditChain.objects.get()
    assert (chain.seq, chain.hash) == (3, third.hash)


@pytest.mark.django_db
def test_actor_is_kept_by_name() -> None:
    """The account may be gone when the entry is read."""
    ada = User.objects.create_user("ada")
    with transaction.atomic():
        note(actor=ada.pk, address="192.0.2.7")
        ada.delete()
    [entry] = recorded("tested")
    assert (entry.actor_name, entry.address) == ("ada", "192.0.2.7")


@pytest.mark.django_db
def test_strange_text_is_stored_and_verifies() -> None:
    """NUL, lone surrogates and far too long texts come from clients."""
    with transaction.atomic():
        note(target="a\0b\ud800" + "x" * 300, details={"name": "\0\ud800é", "long": "y" * 9_000})
        note(details={"name": "\0é"})
    long, short = recorded("tested")
    assert long.target.startswith("a\ufffdb\ufffdxx")
    assert len(long.target) == 200
    assert len(long.details) < 4_000
    assert json.loads(short.details) == {"name": "\0é"}
    assert list(findings()) == []


@pytest.mark.django_db
def test_rolled_back_savepoint_takes_its_entry_along() -> None:
    """What did not happen is not recorded."""
    with transaction.atomic():
        note("kept")
        with pytest.raises(ZeroDivisionError):
            note_in_vain()
    assert [row.action for row in recorded()] == ["kept"]


@pytest.mark.django_db(transaction=True)
def test_outside_a_transaction_it_refuses() -> None:
    with pytest.raises(OutsideTransaction):
        note()


@pytest.mark.django_db(transaction=True)
def test_entry_and_row_are_committed_together() -> None:
    """A commit writes both, a rollback neither; another connection sees them at once."""
    with transaction.atomic():
        Stream.objects.create(name="project.1")
        note()
        assert not AuditEntry.objects.exists()
    with pytest.raises(ZeroDivisionError):
        note_in_vain()
    assert [row.action for row in recorded()] == ["tested"]
    assert Stream.objects.filter(name="project.1").exists()


@pytest.mark.django_db(transaction=True)
def test_fault_of_a_last_writer_rolls_everything_back() -> None:
    """Whatever it raises: Django would leave the transaction open for anything but a
    DatabaseError."""

    def broken(*_: Any) -> None:
        raise KeyError("a fault")

    @transaction.atomic
    def write() -> None:
        Stream.objects.create(name="project.1")
        last.ask_last(broken, 1)

    with pytest.raises(DatabaseError, match="a fault"):
        write()
    assert not Stream.objects.filter(name="project.1").exists()
    with transaction.atomic():
        note()
    assert len(recorded()) == 1


@pytest.mark.django_db(transaction=True)
def test_writers_in_any_order_of_locks_do_not_deadlock() -> None:
    """If `record` locked the chain at once, one that records before it locks its stream and one
    that does so after it would wait for each other."""
    Stream.objects.create(name="project.1")
    errors: list[BaseException] = []
    # On SQLite only one transaction at a time gets as far as the barrier.
    both = threading.Barrier(2 if connection.vendor == "postgresql" else 1)

    def lock() -> None:
        lock_streams("project.1")

    def write(steps: list[Callable[[], None]]) -> None:
        try:
            for _ in range(20):
                with transaction.atomic():
                    both.wait(20)
                    for step in steps:
                        step()
        except BaseException as error:  # noqa: BLE001 - the test tells of it
            errors.append(error)
            both.abort()
        finally:
            connection.close()

    orders: list[list[Callable[[], None]]] = [[note, lock], [lock, note]]
    threads = [threading.Thread(target=write, args=[steps]) for steps in orders]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert errors == []
    assert [row.seq for row in recorded()] == list(range(1, 41))
    assert list(findings()) == []


@pytest.mark.django_db
def test_models_refuse_to_write() -> None:
    """Every way that the ORM has of changing an entry, and of making one."""
    with transaction.atomic():
        note()
    [entry] = recorded()
    rows = AuditEntry.objects.all()
    attempts: list[Callable[[], Any]] = [
        entry.save,
        entry.delete,
        lambda: rows.update(action="x"),
        rows.delete,
        lambda: rows.bulk_update([entry], ["action"]),
        lambda: rows.bulk_create([AuditEntry(seq=2)]),
        lambda: rows.create(seq=2),
        AuditEntry(seq=2).save,
    ]
    for attempt in attempts:
        with pytest.raises(AppendOnly):
            attempt()
    assert list(findings()) == []


@pytest.mark.django_db
@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE realtime_auditentry SET action = 'x'",
        "DELETE FROM realtime_auditentry WHERE seq = 2",
    ],
)
def test_database_refuses_as_well(sql: str) -> None:
    """Plain SQL past the models meets the triggers."""
    with transaction.atomic():
        note()
        note()
    write_recorded()
    with (
        pytest.raises(DatabaseError, match="append-only"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(sql)
    assert len(recorded()) == 2


@pytest.mark.django_db
@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has no TRUNCATE")
def test_database_refuses_to_be_emptied() -> None:
    """TRUNCATE passed by the guard of rows. Tests themselves flush by it: theirs is the one setting
    that lets it through."""
    with transaction.atomic():
        note()
    write_recorded()
    assert installed(connection)
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL realtime.empty_audit = off")
    for also in ("", ", realtime_auditchain"):
        with (
            pytest.raises(DatabaseError, match="append-only"),
            transaction.atomic(),
            connection.cursor() as cursor,
        ):
            cursor.execute(f"TRUNCATE realtime_auditentry{also}")
    assert len(recorded()) == 1
