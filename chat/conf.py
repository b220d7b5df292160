"""What chat reads of the project's settings object (`settings.PM`)."""

from typing import Literal, Protocol, cast

from django.conf import settings
from pydantic import SecretStr


class Options(Protocol):
    """The attributes used here; units and defaults stand in `.env.example`."""

    context_engine: bool
    memory_half_life_days: float
    vector_index: Literal["auto", "memory"]
    ai_model: str
    ai_base_url: str | None
    ai_api_key: SecretStr | None
    ai_timeout_s: float
    ai_max_concurrent: int


def options() -> Options:
    return cast("Options", settings.PM)
