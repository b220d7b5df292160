"""No table: only the permission to look."""

from django.db import models


class Status(models.Model):
    class Meta:
        managed = False
        default_permissions = ("view",)
        verbose_name = "system status"

    def __str__(self) -> str:
        return "system status"
