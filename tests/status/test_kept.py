"""Rows made into instances only when they have changed."""

from collections.abc import Sequence

import pytest

from status.alerts.kept import Kept
from status.models import AlertRule

pytestmark = pytest.mark.django_db


def test_instances_are_made_anew_when_a_row_is_another_one() -> None:
    """And after they were forgotten, or could not be read."""
    kept: Kept[AlertRule] = Kept("SELECT * FROM status_alertrule WHERE name LIKE %s ORDER BY id")
    readings = 0

    def read() -> Sequence[AlertRule]:
        nonlocal readings
        readings += 1
        return list(AlertRule.objects.order_by("pk"))

    rules = kept.newest(read, "%")
    assert rules
    assert kept.newest(read, "%") is rules
    AlertRule.objects.filter(pk=rules[0].pk).update(threshold=12.5)
    assert kept.newest(read, "%")[0].threshold == 12.5
    assert readings == 2
    kept.forget()
    kept.newest(read, "%")
    assert readings == 3

    def broken() -> Sequence[AlertRule]:
        raise ZeroDivisionError

    AlertRule.objects.filter(pk=rules[0].pk).delete()
    with pytest.raises(ZeroDivisionError):
        kept.newest(broken, "%")
    assert len(kept.newest(read, "%")) == len(rules) - 1
