"""One entry of a log."""

from django.db import models

from realtime.models.stream import Stream


class Event(models.Model):
    """The frame as every client gets it, and beside it what nodes must know without decoding."""

    # Indexed by the constraint below, which begins with it.
    stream = models.ForeignKey(
        Stream, on_delete=models.CASCADE, related_name="events", db_index=False
    )
    seq = models.BigIntegerField()
    uid = models.UUIDField()
    type = models.CharField(max_length=48)
    ts = models.DateTimeField()
    frame = models.BinaryField()
    # What the frame holds text of ("message.12"), so that deleting that blanks it here.
    subject = models.CharField(max_length=48, null=True, blank=True)
    # Whose rights to this stream end at this seq: "user.7", "session.<digest>", "key.3" or "all".
    ends = models.CharField(max_length=80, null=True, blank=True)
    # The newest seq that this event blanked: caches drop everything up to it.
    blanks = models.BigIntegerField(null=True, blank=True)
    # The id of the request, command or job that wrote it. Clients do not see it.
    correlation = models.CharField(max_length=64, null=True, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["stream", "seq"], name="event_stream_seq")]
        indexes = [
            models.Index(
                fields=["subject"], name="event_subject", condition=models.Q(subject__isnull=False)
            ),
            models.Index(fields=["ts"], name="event_ts"),
        ]

    def __str__(self) -> str:
        return f"{self.type} #{self.seq}"
