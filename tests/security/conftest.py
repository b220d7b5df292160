"""A house in memory, and a Valkey for those who need a store that nodes share."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings

from realtime.bans import networks
from realtime.embedded.valkey import EmbeddedValkey
from realtime.hub import hub as hub_module
from realtime.models import Installation
from realtime.shared import slips as slips_module
from realtime.shared import store as store_module
from realtime.sockets import handshake
from tests.security.house import ORIGIN, Story, play

Play = Callable[[Story], None]


@pytest.fixture
def staged(settings: Any, monkeypatch: pytest.MonkeyPatch, transactional_db: None) -> Play:
    """Play a story in a house of its own, where nothing is read by the clock."""
    settings.CHANNEL_LAYERS = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}
    settings.PM = django_settings.PM.model_copy(update={"websocket_cors_origins": (ORIGIN,)})
    monkeypatch.setattr(hub_module, "CHECK_EVERY_S", 3600.0)
    monkeypatch.setattr(networks, "EVERY_S", 3600.0)
    return lambda story: play(story, monkeypatch)


@pytest.fixture
def unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is fresh stays so for as long as a busy machine may take."""
    monkeypatch.setattr(handshake, "FRESH_S", 60.0)
    monkeypatch.setattr(hub_module, "FRESH_S", 60.0)


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy machine may answer later than commands wait."""
    monkeypatch.setattr(slips_module, "LIMIT_S", 20.0)
    monkeypatch.setattr(store_module, "BACKGROUND_LIMIT_S", 20.0)  # its sockets' own


@pytest.fixture
def installation(transactional_db: None) -> None:
    """Its row is gone after a flushed test."""
    Installation.objects.get_or_create(pk=1)


@pytest.fixture(scope="module")
def valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The socket of a Valkey of this module's own."""
    server = EmbeddedValkey(tmp_path_factory.mktemp("tickets"))
    server.ensure()
    try:
        yield server.socket_path
    finally:
        server.close()
