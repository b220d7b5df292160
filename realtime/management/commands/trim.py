"""`manage.py trim`: apply the retention now, as serving processes do every 10 minutes."""

import time
from typing import Any

from django.core.management.base import BaseCommand

from realtime.log.retention import trimming

PAUSE_S = 0.01  # between two transactions, so that writers get their turn


class Command(BaseCommand):
    help = (
        "Delete events beyond EVENT_RETENTION_DAYS and EVENT_RETENTION_COUNT, in small "
        "transactions. Clients whose position is behind them start from a snapshot."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        gone = 0
        for count in trimming():
            gone += count
            time.sleep(PAUSE_S)
        self.stdout.write(f"{gone} rows trimmed.")
