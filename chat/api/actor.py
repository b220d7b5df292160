"""Who a request acts as."""

from rest_framework.request import Request

from chat.models import User
from realtime.protocol.errors import Unauthorized


def actor_of(request: Request) -> User:
    """The signed-in person. Raises Unauthorized; the permission classes have seen to it before."""
    if not isinstance(request.user, User):
        raise Unauthorized("expected a signed-in person, got none")
    return request.user
