"""How the admin's live pages write what changes."""

from django import template

register = template.Library()


@register.filter
def duration(seconds: float) -> str:
    """`3 s`, `4 min 5 s`, `2 h 3 min`, `5 d 6 h`."""
    whole = max(0, int(seconds))
    parts = [
        (whole // 86_400, "d"),
        (whole // 3_600 % 24, "h"),
        (whole // 60 % 60, "min"),
        (whole % 60, "s"),
    ]
    while len(parts) > 1 and not parts[0][0]:
        parts.pop(0)
    return " ".join(f"{number} {unit}" for number, unit in parts[:2] if number or unit == "s")
