"""What status reads of the project's settings object (`settings.PM`)."""

from typing import Protocol, cast

from django.conf import settings
from pydantic import SecretStr


class Options(Protocol):
    """The attributes used here; units and defaults stand in `.env.example`."""

    status_monitor: bool
    metrics_token: SecretStr | None
    metrics_addresses: tuple[str, ...]
    webhook_allow_private: bool


def options() -> Options:
    return cast("Options", settings.PM)
