"""Who has received and who has read a message."""

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from chat.api.actor import actor_of
from chat.api.messages import message_of
from chat.api.shapes import Receipts
from chat.queries.receipts import receipts
from realtime.api.views import ApiView


class ReceiptsView(ApiView):
    @extend_schema(operation_id="read_receipts", responses={200: Receipts})
    def get(self, request: Request, project_id: int, message_id: int) -> Response:
        """Members other than the author whom the message has reached, and who have read it."""
        return Response(receipts(message_of(actor_of(request), project_id, message_id)))
