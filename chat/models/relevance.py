"""How much a memory matters now: it fades with time, and comes back with use."""

from datetime import datetime, timedelta

from django.db import models

DAY = timedelta(days=1)
MOST_HALF_LIVES = 12  # however often it was used
_BANDS = ((0.6, "high"), (0.35, "medium"))


class Relevance(models.TextChoices):
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


def relevance_of(
    importance: float, touched_at: datetime, uses: int, now: datetime, half_life_days: float
) -> Relevance:
    """The mean of importance and freshness, as one of three bands.

    Freshness is 1 at `touched_at` (stored, changed or used last) and halves with each half-life;
    each use makes that longer by as much again.
    """
    idle_days = max(0.0, (now - touched_at) / DAY)
    lasting_days = half_life_days * min(1 + uses, MOST_HALF_LIVES)
    value = (importance + 0.5 ** (idle_days / lasting_days)) / 2
    return next((Relevance(band) for least, band in _BANDS if value >= least), Relevance.LOW)
