"""The rows that everything rests on."""

import pytest

from realtime.models import Installation, Stream


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("time", [1, 2])
def test_first_rows_are_there_after_a_flush(time: int) -> None:
    """A flushed database has its installation and its single streams again."""
    assert Installation.objects.filter(pk=1).exists()
    assert set(Stream.objects.values_list("name", flat=True)) >= {"status", "system"}
    Stream.objects.all().delete()
