"""What the node that holds the board does once a minute, in a database thread."""

from datetime import timedelta

from django.db.models.functions import Now

from realtime.models import PeriodicJob
from status.exchange import database_now, forget_dead
from status.models import Alert, AlertState
from status.samples import forget_old, roll_up

EVERY_S = 60.0
ROLL_UP = "status.roll_up"  # the periodic job's name
STEPS_AT_ONCE = 10
KEPT = timedelta(days=90)  # of alerts that closed
KEPT_ALERTS = 10_000
BATCH = 500


def keep_up() -> None:
    """Forget processes that ended; roll up where no worker does: samples must not grow for ever."""
    forget_dead()
    forget_alerts()
    if not worker_rolls_up():
        for _ in range(STEPS_AT_ONCE):
            if not roll_up_once():
                return


def forget_alerts() -> int:
    """A batch of those that closed long ago, or beyond the newest 10,000; how many went."""
    closed = Alert.objects.filter(state=AlertState.CLOSED).order_by("closed_at")
    keys = list(closed.filter(closed_at__lt=Now() - KEPT).values_list("pk", flat=True)[:BATCH])
    newest = closed.order_by("-closed_at").values_list("pk", flat=True)
    keys += newest[KEPT_ALERTS : KEPT_ALERTS + BATCH]
    return Alert.objects.filter(pk__in=keys).delete()[0] if keys else 0


def roll_up_once() -> int:
    """A batch of each kind; how many rows it was about."""
    now = database_now()
    return roll_up(now) + forget_old(now)


def worker_rolls_up() -> bool:
    """Whether some worker moved the job's row within two periods, as a living one does."""
    recently = Now() - timedelta(seconds=EVERY_S)
    return PeriodicJob.objects.filter(name=ROLL_UP, next_at__gt=recently).exists()
