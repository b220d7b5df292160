"""The provider that AI_MODEL names. What it needs is imported only when it is chosen."""

from chat.ai.providers.extractive import ExtractiveProvider
from chat.ai.providers.protocol import Provider
from chat.ai.providers.unusable import UnusableProvider
from chat.conf import Options


def chosen_provider(options: Options) -> Provider:
    """One that cannot be made (packages that are missing, a name that nobody knows, a key that it
    cannot do without) answers so: members are told, and operators what they have to change."""
    if options.ai_model == "extractive":
        return ExtractiveProvider()
    from chat.ai.providers.guarded import Guarded

    try:
        return Guarded(_remote(options))
    except ImportError as error:
        # Its text names the package.
        got = str(error).partition("\n")[0][:200]
    except (ValueError, RuntimeError) as error:  # pydantic-ai's UserError is a RuntimeError
        # Not its text, which is another package's and may repeat the key.
        got = f"one that raises {type(error).__name__}"
    detail = (
        f"AI_MODEL, AI_API_KEY: expected a model that can be used, got {options.ai_model}: {got}"
    )
    return UnusableProvider(options.ai_model, detail)


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
