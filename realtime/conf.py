"""What the real-time core reads of the project's settings object (`settings.PM`)."""

from functools import cache
from pathlib import Path
from typing import Any, Protocol, cast

from django.conf import settings
from django.core.signals import setting_changed


class Options(Protocol):
    """The attributes used here; units and defaults stand in `.env.example`."""

    debug: bool
    data_dir: Path
    redis_url: str | None
    database_failover: str
    database_prepared: bool
    websocket_enabled: bool
    websocket_port: int
    websocket_cors_origins: tuple[str, ...]
    websocket_heartbeat_interval: float
    websocket_connection_timeout: float
    websocket_slow_timeout: float
    websocket_max_connections: int
    websocket_max_message_bytes: int
    websocket_ticket_limit: int
    websocket_newcomers_per_address: int
    drain_window: float
    worker: bool
    worker_concurrency: int
    job_lease: float
    event_retention_days: int
    event_retention_count: int
    audit_retention_days: int
    broadcast_retention_days: int
    broadcast_limit_system: int
    broadcast_limit_project: int
    broadcast_limit_user: int
    realtime_status_updates: bool
    realtime_memory_updates: bool
    realtime_chat_broadcasting: bool
    realtime_trace: bool
    realtime_otel: bool


@cache
def options() -> Options:
    """Asked for every socket and second: Django's lazy settings would cost 5 us each time."""
    return cast("Options", settings.PM)


def _forget(*, setting: str, **_: Any) -> None:
    """Tests override settings."""
    if setting == "PM":
        options.cache_clear()


setting_changed.connect(_forget)
