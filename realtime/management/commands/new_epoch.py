"""`manage.py new_epoch`: after a backup was restored, every client starts from a snapshot."""

from typing import Any

from django.core.management.base import BaseCommand

from realtime.models import Installation
from realtime.models.installation import new_epoch_part


class Command(BaseCommand):
    help = (
        "Give the log a new epoch. Run it after restoring a backup: seqs that clients hold may "
        "mean other events now. Running servers notice within 4 s."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        epoch = new_epoch_part()
        Installation.objects.filter(pk=1).update(epoch=epoch)
        self.stdout.write(f"The epoch of this installation is now {epoch}.")
