"""A real Valkey for the module, emptied before each test."""

from tests.fleet.conftest import redis, scenario, valkey

__all__ = ["redis", "scenario", "valkey"]
