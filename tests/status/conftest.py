"""A rule that the tests of alerts share."""

import pytest

from status.models import AlertRule


@pytest.fixture
def rule() -> AlertRule:
    """CPU at or above 90 for 4 s; below 70 for 6 s closes."""
    AlertRule.objects.all().delete()
    return AlertRule.objects.create(
        name="cpu",
        component="cpu",
        text="busy",
        expression="cpu.percent",
        threshold=90,
        clear_threshold=70,
        duration_s=4,
        clear_after_s=6,
    )
