"""This database, as clients know it."""

import secrets
import string

from django.db import models

_ALPHABET = string.ascii_lowercase + string.digits


def new_epoch_part() -> str:
    """Half of an epoch: 6 characters of [a-z0-9], about 31 bits."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(6))


class Installation(models.Model):
    """One row. Its epoch changes when the log may have lost its tail: a restore or a failover.

    `fingerprint` names the database server's identity and timeline, "" where there is none.
    """

    epoch = models.CharField(max_length=16, default=new_epoch_part)
    fingerprint = models.CharField(max_length=100, default="", blank=True)

    def __str__(self) -> str:
        return f"installation {self.epoch}"
