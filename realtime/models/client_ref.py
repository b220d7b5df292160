"""Commands that must take effect once."""

from django.conf import settings
from django.db import models


class ClientRef(models.Model):
    """A reference that a client chose for one write, and what that write was and made.

    `content` is a digest of the command, its stream and its text: the same reference with other
    content is a conflict.
    """

    # Indexed by the constraint below, which begins with it.
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, db_index=False)
    ref = models.CharField(max_length=64)
    content = models.CharField(max_length=64)
    target = models.BigIntegerField()
    seq = models.BigIntegerField(null=True)
    created_at = models.DateTimeField(db_index=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "ref"], name="client_ref_once")]

    def __str__(self) -> str:
        return self.ref
