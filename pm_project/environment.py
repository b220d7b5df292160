"""The one typed settings object, read from the environment and from `.env`.

Owns every variable that steers the project: its type, default, unit and what a wrong value is told.
Must not import Django: `manage.py` reads it before Django is set up.
"""

import re
from functools import lru_cache
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

ROOT = Path(__file__).resolve().parent.parent
_USERINFO = re.compile(r"[^'\"/,@]*@")  # of an address: user and password
_TOKEN = re.compile(r"[!-~]{16,500}")
_HEADER_SAFE = re.compile(r"[!-~]{1,500}")
_SECRETS = {"secret_key", "ai_api_key", "metrics_token"}
_ORIGIN = re.compile(r"https?://[a-z0-9.\-\[\]:]+", re.IGNORECASE)


class EnvironmentInvalid(ValueError):
    """A variable of the environment has a value that the project cannot start with."""


def _setting(default: Any, expected: str, **limits: Any) -> Any:
    """A field whose description is the sentence that a wrong value is answered with."""
    return Field(default, description=expected, **limits)


class Environment(BaseSettings):
    """Every variable, lower-case; `.env.example` documents them with units and defaults."""

    model_config = SettingsConfigDict(
        env_file=ROOT / ".env", env_ignore_empty=True, extra="ignore", frozen=True
    )

    debug: bool = _setting(True, "true or false")
    secret_key: str | None = _setting(None, "at least 32 characters", min_length=32)
    allowed_hosts: Annotated[tuple[str, ...], NoDecode] = _setting(
        ("localhost", "127.0.0.1", "[::1]"), "host names separated by commas"
    )
    host: str = _setting(
        "127.0.0.1",
        "an address to listen on, such as 127.0.0.1, or the name of one",
        pattern=r"^[0-9A-Za-z._:%-]{1,253}$",
    )
    trusted_proxies: Annotated[tuple[str, ...], NoDecode] = _setting(
        ("127.0.0.1",), "addresses or networks such as 10.0.0.0/8 separated by commas"
    )
    data_dir: Path = _setting(Path(".data"), "a folder that exists or can be made")
    database_url: str | None = _setting(
        None,
        "postgres://USER@HOST:PORT/NAME or sqlite:///FILE",
        pattern=r"^(postgres(ql)?|sqlite)://",
    )
    database_failover: Literal["detect", "lossless"] = _setting("detect", "detect or lossless")
    database_prepared: bool = _setting(True, "true or false")
    redis_url: str | None = _setting(
        None,
        "redis://, rediss:// or unix:// addresses separated by commas, or memory://",
        pattern=r"^(memory://$|(rediss?|unix)://)",
    )

    websocket_enabled: bool = _setting(True, "true or false")
    websocket_port: int = _setting(8000, "a port from 1 to 65535", ge=1, le=65535)
    websocket_cors_origins: Annotated[tuple[str, ...], NoDecode] = _setting(
        (), "origins such as https://app.example.org separated by commas"
    )
    websocket_heartbeat_interval: float = _setting(25.0, "seconds from 1 to 300", ge=1, le=300)
    websocket_connection_timeout: float = _setting(30.0, "seconds from 1 to 600", ge=1, le=600)
    websocket_slow_timeout: float = _setting(30.0, "seconds from 0.1 to 600", ge=0.1, le=600)
    websocket_max_connections: int = _setting(10_000, "a number from 1 to 1000000", ge=1, le=10**6)
    websocket_max_message_bytes: int = _setting(
        65_536, "bytes from 1024 to 1048576", ge=1024, le=2**20
    )
    websocket_ticket_limit: int = _setting(100, "a number from 1 to 100000", ge=1, le=100_000)
    websocket_newcomers_per_address: int = _setting(100, "a number from 1 to 500", ge=1, le=500)
    drain_window: float = _setting(10.0, "seconds from 0 to 600", ge=0, le=600)

    worker: bool = _setting(True, "true or false")
    worker_concurrency: int = _setting(200, "a number from 1 to 10000", ge=1, le=10_000)
    job_lease: float = _setting(30.0, "seconds from 1 to 600", ge=1, le=600)

    embedder: bool = _setting(True, "true or false")
    vector_index: Literal["auto", "memory"] = _setting("auto", "auto or memory")

    event_retention_days: int = _setting(30, "days from 1 to 3650", ge=1, le=3650)
    event_retention_count: int = _setting(100_000, "a number from 1 to 1000000000", ge=1, le=10**9)
    audit_retention_days: int = _setting(365, "days from 1 to 3650", ge=1, le=3650)

    broadcast_retention_days: int = _setting(90, "days from 1 to 3650", ge=1, le=3650)
    broadcast_limit_system: int = _setting(5, "a number from 1 to 100000", ge=1, le=100_000)
    broadcast_limit_project: int = _setting(20, "a number from 1 to 100000", ge=1, le=100_000)
    broadcast_limit_user: int = _setting(60, "a number from 1 to 100000", ge=1, le=100_000)

    realtime_status_updates: bool = _setting(True, "true or false")
    realtime_memory_updates: bool = _setting(True, "true or false")
    realtime_chat_broadcasting: bool = _setting(True, "true or false")

    log_format: Literal["line", "json"] = _setting("line", "line or json")
    realtime_trace: bool = _setting(False, "on or off")
    realtime_otel: bool = _setting(False, "on or off")

    status_monitor: bool = _setting(True, "true or false")
    metrics_token: SecretStr | None = _setting(
        None, "16 to 500 printable characters without spaces"
    )
    metrics_addresses: Annotated[tuple[str, ...], NoDecode] = _setting(
        (), "addresses or networks such as 10.0.0.0/8 separated by commas"
    )
    webhook_allow_private: bool = _setting(False, "true or false")
    email_url: str | None = _setting(
        None,
        "smtp://USER:PASSWORD@HOST:PORT, smtps:// or smtp+starttls:// likewise, or console:",
        pattern=r"^(console:$|smtp(s|\+starttls)?://[!-~]{1,500}$)",
    )
    email_from: str = _setting(
        "status@localhost",
        "an address such as status@example.org",
        pattern=r"^[!-?A-~]+@[!-?A-~]+$",
    )

    context_engine: bool = _setting(True, "true or false")
    memory_half_life_days: float = _setting(14.0, "days from 0.001 to 3650", ge=0.001, le=3650)
    ai_model: str = _setting(
        "extractive",
        "extractive, or PROVIDER:MODEL such as openai:gpt-4.1-mini",
        pattern=r"^(extractive|[a-z][a-z0-9-]*:[!-~]{1,200})$",
    )
    ai_base_url: str | None = _setting(
        None, "an address such as http://127.0.0.1:11434/v1", pattern=r"^https?://[!-~]{1,500}$"
    )
    ai_api_key: SecretStr | None = _setting(None, "1 to 500 printable characters without spaces")
    ai_timeout_s: float = _setting(30.0, "seconds from 0.1 to 600", ge=0.1, le=600)
    ai_max_concurrent: int = _setting(100, "a number from 1 to 10000", ge=1, le=10_000)

    @field_validator("ai_base_url", "email_url")
    @classmethod
    def _address(cls, value: str | None) -> str | None:
        # Both raise ValueError for what is none; the port only when it is looked at.
        if value is None or value == "console:":
            return value
        if not (parts := urlsplit(value)).hostname or parts.port == 0:
            raise ValueError("an address")
        return value

    @field_validator("ai_api_key")
    @classmethod
    def _header_safe(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not _HEADER_SAFE.fullmatch(value.get_secret_value()):
            raise ValueError("a key")
        return value

    @field_validator("metrics_token")
    @classmethod
    def _long_enough(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not _TOKEN.fullmatch(value.get_secret_value()):
            raise ValueError("a token")
        return value

    @field_validator(
        "allowed_hosts",
        "trusted_proxies",
        "websocket_cors_origins",
        "metrics_addresses",
        mode="before",
    )
    @classmethod
    def _split(cls, value: Any) -> Any:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @field_validator("websocket_cors_origins")
    @classmethod
    def _origins(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for origin in value:
            if not _ORIGIN.fullmatch(origin):
                raise ValueError(origin)
        return tuple(origin.lower() for origin in value)

    @field_validator("trusted_proxies", "metrics_addresses")
    @classmethod
    def _networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        """Refused here, because uvicorn would take a mistyped one for a name and say nothing."""
        for network in value:
            ip_network(network)  # raises ValueError
        return value

    @field_validator("data_dir")
    @classmethod
    def _made(cls, value: Path) -> Path:
        """Absolute, and there from now on. Raises ValueError where it cannot be made."""
        folder = value if value.is_absolute() else ROOT / value
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise ValueError(str(error)) from error
        return folder

    @field_validator("database_url")
    @classmethod
    def _readable_address(cls, value: str | None) -> str | None:
        if value is not None:
            _ = urlsplit(value).port  # raises ValueError where the port is no number
        return value

    @model_validator(mode="after")
    def _secret_outside_debug(self) -> "Environment":
        if not self.debug and self.secret_key is None:
            raise ValueError(
                "SECRET_KEY: expected at least 32 characters when DEBUG is off, got none"
            )
        return self


def _explain(error: ValidationError) -> str:
    lines = []
    for found in error.errors(include_url=False):
        if not found["loc"]:
            lines.append(str(found["ctx"]["error"]) if "ctx" in found else found["msg"])
            continue
        name = str(found["loc"][0])
        expected = Environment.model_fields[name].description
        # A secret is never printed, not even a wrong one.
        shown = _USERINFO.sub("***@", repr(found["input"]))
        got = f"{len(str(found['input']))} characters" if name in _SECRETS else shown
        lines.append(f"{name.upper()}: expected {expected}, got {got}")
    return "\n".join(lines)


def read_environment() -> Environment:
    """Read the environment afresh. Raises EnvironmentInvalid naming each wrong variable."""
    try:
        return Environment()
    except ValidationError as error:
        raise EnvironmentInvalid(_explain(error)) from error


@lru_cache(maxsize=1)
def load_environment() -> Environment:
    """The process's environment, read once."""
    return read_environment()
