"""The provider that AI_MODEL names. What it needs is imported only when it is chosen."""

from chat.ai.providers.extractive import ExtractiveProvider
from chat.ai.providers.protocol import Provider
from chat.conf import Options


def chosen_provider(options: Options) -> Provider:
    """Raises ImportError where the model needs packages that are not installed."""
    if options.ai_model == "extractive":
        return ExtractiveProvider()
    from chat.ai.providers.guarded import Guarded

    return Guarded(_remote(options))


def _remote(options: Options) -> Provider:
    kind, _, name = options.ai_model.partition(":")
    key = options.ai_api_key.get_secret_value() if options.ai_api_key else None
    if kind == "openai":
        from chat.ai.providers.openai import OpenAIProvider

        return OpenAIProvider(
            name, base_url=options.ai_base_url, api_key=key, timeout_s=options.ai_timeout_s
        )
    from chat.ai.providers.pydantic import PydanticProvider

    return PydanticProvider(
        options.ai_model, base_url=options.ai_base_url, api_key=key, timeout_s=options.ai_timeout_s
    )
