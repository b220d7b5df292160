"""The core's place in Django."""

from typing import Any

from django.apps import AppConfig
from django.db import transaction
from django.db.models.signals import post_migrate

from realtime.absent import import_sparingly

import_sparingly()  # the first of the project's modules that Django loads


def ensure_first_rows(using: str, **_: Any) -> None:
    """The installation and the two single streams: after each migrate, so that a flushed
    database (as tests leave it) has them again."""
    from realtime.log.locks import create_stream
    from realtime.models import Installation
    from realtime.protocol.streams import STATUS_STREAM, SYSTEM_STREAM

    with transaction.atomic(using=using):
        Installation.objects.get_or_create(pk=1)
        create_stream(STATUS_STREAM)
        create_stream(SYSTEM_STREAM)


class RealtimeConfig(AppConfig):
    name = "realtime"
    verbose_name = "Real time"

    def ready(self) -> None:
        from realtime import checks, registry  # noqa: F401 - registers the system checks
        from realtime.audit import receivers  # noqa: F401 - connects the signal receivers
        from realtime.audit.gathering import flush
        from realtime.bans import receivers as _  # noqa: F401 - connects its receiver
        from realtime.bans.networks import enforce
        from realtime.broadcasts.moved import count_changed, on_arrivals
        from realtime.broadcasts.permissions import register_audiences
        from realtime.broadcasts.standing import standing_broadcasts
        from realtime.checkpointer import keep_checkpointed
        from realtime.delivery.writing import register_arrivals
        from realtime.fleet.telling import tell_changes
        from realtime.metrics.ledger import telling
        from realtime.presence import commands  # noqa: F401 - registers its command
        from realtime.security import endings  # noqa: F401 - connects the signal receivers
        from realtime.sockets import acks, basics, subscribing  # noqa: F401 - registers their commands
        from realtime.sockets.sweep import register_sweep

        register_sweep(flush)
        register_sweep(enforce)
        register_sweep(tell_changes)
        register_arrivals(on_arrivals)
        register_sweep(count_changed)  # behind that of `acks`: it has just been written then
        register_audiences()
        registry.register_background("metrics", telling)
        registry.register_background("checkpoints", keep_checkpointed)
        registry.register_snapshot_part(standing_broadcasts)
        post_migrate.connect(ensure_first_rows, sender=self)
