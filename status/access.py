"""Who may see the system's state."""

from typing import Any

from django.contrib.auth import get_user_model

from realtime.protocol.streams import StreamName


def may_read_status(user: Any, stream: StreamName) -> bool:
    """Staff, or the permission `status.view_status`; read afresh, not from the socket's memory."""
    fresh = get_user_model().objects.filter(pk=user.pk, is_active=True).first()
    return fresh is not None and (fresh.is_staff or fresh.has_perm("status.view_status"))
