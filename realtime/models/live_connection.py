"""The open sockets, as the admin knows them: permissions and a name, no table."""

from django.db import models


class LiveConnection(models.Model):
    """Sockets are asked for, node by node (`realtime.fleet.asking`); nothing of them is stored.

    view: who is connected, from where and to what; change: close them, send them a frame
    """

    class Meta:
        managed = False
        default_permissions = ("view", "change")
        verbose_name = "live connection"

    def __str__(self) -> str:
        return "live connections"
