"""Leases of running jobs, renewed from a thread of its own.

Not from the event loop: a job that computes for a few seconds must not cost all others theirs. But
a loop that stands still for long is as good as dead, so its leases run out.
"""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from django.db import DatabaseError, InterfaceError, connection, transaction
from django.db.models.functions import Now

from realtime.backends.postgresql.patience import patience
from realtime.conf import options
from realtime.jobs.ending import Held
from realtime.models.job import Job, JobState

RENEWALS = 6  # per lease: 5 s of 30
STANDSTILL = 2 / 3  # of a lease: 20 s of 30
LIMIT_S = 5.0  # for the database, per round

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class News:
    """What a renewal found: ids whose lease is lost, and those that somebody wants to end."""

    lost: tuple[int, ...]
    cancelled: tuple[int, ...]


def renew(worker: str, held: Sequence[Held]) -> News:
    """Renew all leases of the worker with one UPDATE.

    Rows that an effect has locked are left out; it has renewed them itself. Only what is really
    held is renewed: a claim whose answer was lost on its way must run out.
    """
    ids = [one.id for one in held]
    lease = timedelta(seconds=options().job_lease)
    with transaction.atomic():
        running = Job.objects.filter(pk__in=ids, worker=worker, state=JobState.RUNNING)
        unlocked = list(running.select_for_update(skip_locked=True).values_list("pk", flat=True))
        Job.objects.filter(pk__in=unlocked).update(lease_until=Now() + lease)
    rows = Job.objects.filter(pk__in=ids, state=JobState.RUNNING)
    found = {
        pk: (token, ends) for pk, token, ends in rows.values_list("pk", "token", "cancel_requested")
    }
    kept = [one for one in held if one.id in found and found[one.id][0] == one.token]
    lost = {one.id for one in held} - {one.id for one in kept}
    return News(tuple(sorted(lost)), tuple(one.id for one in kept if found[one.id][1]))


class LeaseKeeper(threading.Thread):
    """Renews until `close`. `beat` is called by the loop while it is alive.

    held: what to renew, asked in this thread; on_news: told of it, in this thread.
    """

    def __init__(
        self,
        worker: str,
        held: Callable[[], Sequence[Held]],
        on_news: Callable[[News], None],
    ) -> None:
        super().__init__(name="realtime-leases", daemon=True)
        self._worker = worker
        self._held = held
        self._on_news = on_news
        self._over = threading.Event()
        self._beaten_at = time.monotonic()
        self._standing_still = False

    def beat(self) -> None:
        self._beaten_at = time.monotonic()

    def close(self) -> None:
        """End the thread; returns once its round is over, or after 6 s."""
        self._over.set()
        self.join(LIMIT_S + 1)

    def run(self) -> None:
        try:
            while not self._over.wait(options().job_lease / RENEWALS):
                self._round()
        finally:
            connection.close()

    def _round(self) -> None:
        """A named top-level step: leases are worth another try as long as the process lives."""
        still_s = time.monotonic() - self._beaten_at
        if still_s > options().job_lease * STANDSTILL:
            if not self._standing_still:
                logger.error("the worker's loop stands still, its leases run out s=%.0f", still_s)
            self._standing_still = True
            return
        self._standing_still = False
        held = self._held()
        if not held:
            return
        try:
            with patience(LIMIT_S):
                self._on_news(renew(self._worker, held))
        except (DatabaseError, InterfaceError) as error:
            logger.warning("leases not renewed jobs=%d error=%s", len(held), type(error).__name__)
            connection.close()
        except Exception:
            logger.exception("leases not renewed jobs=%d", len(held))
