"""Who tried to speak, or to take something back, without the right to: into the audit log."""

from typing import Any

from realtime.audit.acting import acting
from realtime.audit.recording import record_nowait
from realtime.protocol.errors import RealtimeError


def note_refusal(actor: Any, stream: str, error: RealtimeError, **details: Any) -> None:
    """Never waits; `details` are JSON values."""
    record_nowait(
        "broadcast_refused",
        actor=actor.pk,
        target=stream,
        result=error.code.value,
        address=acting().address,
        details=details,
    )
