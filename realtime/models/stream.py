"""One ordered log."""

from django.db import models

from realtime.models.installation import new_epoch_part


class Stream(models.Model):
    """`head` is the newest seq, `floor` the highest trimmed one; the row's lock orders commits."""

    name = models.CharField(max_length=64, unique=True)
    epoch = models.CharField(max_length=16, default=new_epoch_part)
    head = models.BigIntegerField(default=0)
    floor = models.BigIntegerField(default=0)
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return self.name
