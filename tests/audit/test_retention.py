"""Old entries go, and the rest still verifies."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone

from realtime.audit import retention
from realtime.audit.recording import record, write_recorded
from realtime.audit.verifying import findings
from realtime.log.retention import trimming
from realtime.models import AuditChain
from tests.audit.entries import recorded, tampered

pytestmark = pytest.mark.django_db


@pytest.fixture
def aged(monkeypatch: pytest.MonkeyPatch) -> None:
    """Five entries of 400 days ago and two of today."""
    now = timezone.now()
    for action, age, count in (("old", timedelta(days=400), 5), ("new", timedelta(), 2)):
        with monkeypatch.context() as clock, transaction.atomic():
            clock.setattr("django.utils.timezone.now", lambda age=age: now - age)
            for _ in range(count):
                record(action, actor=None, target="this", result="done")
    write_recorded()


def test_old_entries_go_with_the_log(aged: None) -> None:
    """The same steps that trim events; what was trimmed is itself recorded."""
    assert sum(trimming()) == 5
    assert [row.action for row in recorded()] == ["new", "new", retention.TRIMMED]
    assert AuditChain.objects.get().anchor_seq == 5
    assert list(findings()) == []
    assert sum(trimming()) == 0


def test_small_batches_leave_a_chain(aged: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "BATCH", 2)
    assert list(retention.trimming_audit()) == [2, 2, 1]
    recorded()
    assert list(findings()) == []


def test_retention_is_a_setting(aged: None, settings: Any) -> None:
    settings.PM = settings.PM.model_copy(update={"audit_retention_days": 500})
    assert sum(retention.trimming_audit()) == 0


def test_tampering_behind_the_anchor_is_found(aged: None) -> None:
    assert sum(retention.trimming_audit()) == 5
    recorded()
    tampered("UPDATE realtime_auditentry SET result = 'x' WHERE seq = 6")
    assert list(findings()) == ["entry 6 was changed"]
