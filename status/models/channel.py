"""Whom alerts are told, beside everyone who looks."""

from django.db import models

from status.models.alert import Severity


class ChannelKind(models.TextChoices):
    EMAIL = "email", "e-mail"
    WEBHOOK = "webhook"


class NotificationChannel(models.Model):
    """`address` is an e-mail address or a webhook's URL; `secret` signs what the webhook gets."""

    name = models.CharField(max_length=60, unique=True)
    kind = models.CharField(max_length=8, choices=ChannelKind)
    address = models.CharField(max_length=500)
    secret = models.CharField(max_length=200, default="", blank=True)
    at_least = models.CharField(max_length=8, choices=Severity, default=Severity.WARNING)
    enabled = models.BooleanField(default=True)

    def __str__(self) -> str:
        return self.name
