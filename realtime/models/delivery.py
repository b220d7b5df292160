"""How much of a stream has arrived at a person."""

from django.conf import settings
from django.db import models

from realtime.models.stream import Stream


class DeliveredRange(models.Model):
    """The events `lo` to `hi` of the stream have arrived at the person, on some device.

    An empty range (`hi` = `lo` - 1) marks where a subscription began of which nothing has been
    acknowledged yet; a position that is resumed later belongs to it.
    """

    stream = models.ForeignKey(Stream, on_delete=models.CASCADE, related_name="delivered")
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="delivered"
    )
    lo = models.BigIntegerField()
    hi = models.BigIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["stream", "user", "lo"], name="delivered_from_once"),
            models.CheckConstraint(
                condition=models.Q(hi__gte=models.F("lo") - 1), name="delivered_forwards"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.stream_id}: {self.lo}-{self.hi} to {self.user_id}"
