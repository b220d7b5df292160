"""A project with people, and a real embedder where a test wants one."""

from tests.api.conftest import ApiClient, Team, member, owner, stranger, team, viewer
from tests.search.conftest import Embedder, data_dir, embedder

__all__ = [
    "ApiClient",
    "Embedder",
    "Team",
    "data_dir",
    "embedder",
    "member",
    "owner",
    "stranger",
    "team",
    "viewer",
]
