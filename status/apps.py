"""Probes of the system, samples, alerts."""

from typing import Any

from django.apps import AppConfig
from django.db.models.signals import post_migrate


def ensure_first_rows(using: str, **_: Any) -> None:
    """The board, and the rules that everybody begins with: after each migrate."""
    from status.alerts.defaults import ensure_rules
    from status.models import Board

    Board.objects.using(using).get_or_create(pk=1)
    ensure_rules(using)


class StatusConfig(AppConfig):
    name = "status"

    def ready(self) -> None:
        from realtime import registry
        from realtime.protocol.streams import StreamKind
        from status import rights
        from status.access import may_read_status
        from status.probes import register_probes
        from status.running import monitoring
        from status.state import status_snapshot

        registry.register_reader_check(StreamKind.STATUS, may_read_status)
        registry.register_snapshot(StreamKind.STATUS, status_snapshot)
        registry.register_background("status", monitoring)
        register_probes()
        rights.connect()
        post_migrate.connect(ensure_first_rows, sender=self)
