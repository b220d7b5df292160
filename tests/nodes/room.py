"""A project to write into and follow."""

from dataclasses import dataclass
from typing import Any, Self

from tests.nodes.backstage import Backstage


@dataclass(frozen=True)
class Room:
    """A project with a writer, and where its stream stood."""

    project: int
    writer: dict[str, Any]
    head: int

    @property
    def stream(self) -> str:
        return f"project.{self.project}"

    @property
    def authorization(self) -> str:
        return f"Api-Key {self.writer['key']}"

    @classmethod
    def made(cls, backstage: Backstage) -> Self:
        """A new one, with its team."""
        team = backstage("team")
        head = backstage("head", stream=f"project.{team['project']}")
        return cls(team["project"], team["people"]["ada"], head)
