"""People as operators name them on the command line."""

from django.contrib.auth import get_user_model

from realtime.protocol.errors import NotFound


def user_id_of(username: str) -> int:
    """Raises NotFound."""
    user = get_user_model()._default_manager.filter(username=username).only("pk").first()  # noqa: SLF001
    if user is None:
        raise NotFound(f"expected the username of an account, got {username[:60]!r}")
    return int(user.pk)
