"""`manage.py verify_audit` names what is not as it was written."""

import io
from contextlib import redirect_stdout

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction

from realtime.audit.hashing import entry_hash
from realtime.audit.recording import record, write_recorded
from realtime.audit.verifying import content_of, findings
from realtime.models import AuditEntry
from tests.audit.entries import tampered

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def six_entries(db: None) -> None:
    with transaction.atomic():
        for number in range(1, 7):
            record(f"action_{number}", actor=None, target="this", result="done")
    write_recorded()


def verified(**options: str) -> str:
    said = io.StringIO()
    with redirect_stdout(said):
        call_command("verify_audit", **options)
    return said.getvalue()


def hash_of(seq: int) -> str:
    return str(AuditEntry.objects.get(seq=seq).hash)


def test_untouched_log_verifies() -> None:
    said = verified()
    assert "6 entries are as they were written" in said
    assert f"head 6:{hash_of(6)}" in said
    assert verified(head=f"6:{hash_of(6)}") == said


@pytest.mark.parametrize(
    "change",
    [
        "action = 'other'",
        "target = 'that'",
        "result = 'refused'",
        "actor = 7",
        "actor_name = 'eve'",
        "address = '192.0.2.1'",
        "details = '{\"a\":1}'",
        "at = '2020-01-01 00:00:00+00:00'",
        "previous = 'x'",
        "hash = 'x'",
    ],
)
def test_changed_entry_is_named(change: str) -> None:
    """Whatever part of it was changed, and no other entry."""
    tampered(f"UPDATE realtime_auditentry SET {change} WHERE seq = 3")
    assert list(findings()) == ["entry 3 was changed"]


@pytest.mark.parametrize(
    ("gone", "said"),
    [
        ("seq = 3", "entry 3 was removed"),
        ("seq = 1", "entry 1 was removed"),
        ("seq = 6", "entry 6 was removed"),
        ("seq BETWEEN 2 AND 4", "entries 2-4 were removed"),
        ("seq > 0", "entries 1-6 were removed"),
    ],
)
def test_removed_entries_are_named(gone: str, said: str) -> None:
    """From the beginning, the middle and the end."""
    tampered(f"DELETE FROM realtime_auditentry WHERE {gone}")
    assert list(findings()) == [said]


def test_moved_entries_are_named() -> None:
    """Two that changed places, with everything that they carry."""
    tampered("UPDATE realtime_auditentry SET seq = -1 WHERE seq = 3")
    untie("UPDATE realtime_auditentry SET seq = 3 WHERE seq = 4")
    untie("UPDATE realtime_auditentry SET seq = 4 WHERE seq = -1")
    assert list(findings()) == ["entry 3 was moved here from 4", "entry 4 was moved here from 3"]


def untie(sql: str) -> None:
    """More of the same, once the guard is gone."""
    with connection.cursor() as cursor:
        cursor.execute(sql)


def test_inserted_entry_is_named() -> None:
    """One whose own hash is right still does not join its neighbours."""
    tampered("DELETE FROM realtime_auditentry WHERE seq = 3")
    row = AuditEntry.objects.get(seq=4)
    row.action = "forged"
    forged = entry_hash(3, "f" * 64, content_of(row))
    columns = "at, actor, actor_name, target, result, address, details"
    untie(
        f"INSERT INTO realtime_auditentry (seq, action, previous, hash, {columns}) "
        f"SELECT 3, 'forged', '{'f' * 64}', '{forged}', {columns} "
        "FROM realtime_auditentry WHERE seq = 4"
    )
    assert list(findings()) == ["entry 3 was inserted: it does not follow the one before it"]


def test_entry_after_the_end_is_named() -> None:
    tampered(
        "INSERT INTO realtime_auditentry SELECT 7, at, action, actor, actor_name, target, result, "
        "address, details, hash, previous FROM realtime_auditentry WHERE seq = 6"
    )
    assert list(findings()) == ["entry 7 was inserted: the chain ends at 6"]


def test_chain_computed_anew_is_found_by_a_noted_head() -> None:
    """The end cut off together with the chain's row leaves no trace inside."""
    noted = f"6:{hash_of(6)}"
    tampered("DELETE FROM realtime_auditentry WHERE seq = 6")
    untie(f"UPDATE realtime_auditchain SET seq = 5, hash = '{hash_of(5)}'")
    assert list(findings()) == []
    with pytest.raises(CommandError, match="entry 6 does not have the hash that was noted"):
        verified(head=noted)


def test_missing_guard_and_missing_chain_are_told() -> None:
    tampered("DELETE FROM realtime_auditchain")
    with pytest.raises(CommandError) as raised:
        verified()
    assert "the chain's own row is missing" in str(raised.value)
    assert "guard against changes is missing" in str(raised.value)


def test_what_is_no_head_is_refused() -> None:
    with pytest.raises(CommandError, match="expected SEQ:HASH"):
        verified(head="six")
