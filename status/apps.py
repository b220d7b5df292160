"""Probes of the system; later samples, alerts and the dashboard."""

from django.apps import AppConfig


class StatusConfig(AppConfig):
    name = "status"

    def ready(self) -> None:
        from realtime import registry
        from realtime.protocol.streams import StreamKind
        from status import rights
        from status.access import may_read_status

        registry.register_reader_check(StreamKind.STATUS, may_read_status)
        rights.connect()
