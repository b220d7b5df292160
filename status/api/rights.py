"""Who may ask: those who may follow the stream `status`."""

from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.views import APIView

from realtime.protocol.streams import StreamKind, StreamName
from status.access import may_read_status


class MayReadStatus(BasePermission):
    def has_permission(self, request: Request, view: APIView) -> bool:
        """Read afresh, as for a subscription."""
        user = request.user
        return user.is_authenticated and may_read_status(user, StreamName(StreamKind.STATUS, None))
