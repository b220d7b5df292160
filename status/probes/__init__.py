"""How the core's own parts are looked at: one module per part, each with its `COMPONENT`(S)."""

from realtime.components import register_component
from status.probes import (
    database,
    errors,
    event_log,
    hub,
    jobs,
    layer,
    machine,
    process,
    redis,
    sockets,
    traffic,
)


def register_probes() -> None:
    """In the order in which people read them."""
    for component in (
        database.COMPONENT,
        layer.COMPONENT,
        redis.COMPONENT,
        event_log.COMPONENT,
        hub.COMPONENT,
        jobs.COMPONENT,
        sockets.COMPONENT,
        traffic.COMPONENT,
        *process.COMPONENTS,
        errors.COMPONENT,
        *machine.COMPONENTS,
    ):
        register_component(component)
