"""A real Valkey for the module, emptied before each test; and what the hub's tests are run with."""

from tests.fleet.conftest import redis, scenario, valkey
from tests.hub.conftest import no_waiting

__all__ = ["no_waiting", "redis", "scenario", "valkey"]
