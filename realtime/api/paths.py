"""Ids in paths."""

from django.urls import register_converter
from django.urls.converters import get_converters


class RowIdConverter:
    """An id that some row could have; any other number is simply no path."""

    regex = "[1-9][0-9]{0,17}"

    def to_python(self, value: str) -> int:
        return int(value)

    def to_url(self, value: int) -> str:
        return str(value)


if "row" not in get_converters():
    register_converter(RowIdConverter, "row")
