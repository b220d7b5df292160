"""The results of one run as a JSON file, which is written anew after every figure."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.machine import commit, machine

FOLDER = Path(__file__).parent / "results"
FORMAT = 1


class Record:
    """`path` holds everything that was measured so far: what a broken run leaves is whole JSON."""

    def __init__(self, *, quick: bool, path: Path | None = None) -> None:
        now = datetime.now(UTC)
        self.path = path or FOLDER / f"{now:%Y-%m-%d}.json"
        self._content: dict[str, Any] = {
            "format": FORMAT,
            "date": now.isoformat(timespec="seconds"),
            "commit": commit(),
            "quick": quick,
            "machine": machine(),
            "versions": {},
            "skipped": [],
            "generator": {},
            "took_s": {},
            "runs": [],
        }

    def __setitem__(self, name: str, value: Any) -> None:
        """Set a part of the head."""
        self._content[name] = value
        self._write()

    def took(self, part: str, seconds: float) -> None:
        """Add to what a scenario, or another part of the run, took in all."""
        parts = self._content["took_s"]
        parts[part] = round(parts.get(part, 0.0) + seconds, 1)

    @property
    def times(self) -> Mapping[str, float]:
        """Seconds by part, the longest first."""
        parts: dict[str, float] = self._content["took_s"]
        return dict(sorted(parts.items(), key=lambda part: -part[1]))

    def add(
        self,
        peer: str,
        scenario: Mapping[str, Any],
        repeat: int,
        figures: Mapping[str, Any],
        error: str | None,
    ) -> None:
        """One case; `scenario` holds its name, kind and parameters."""
        kept = {name: value for name, value in figures.items() if value is not None}
        self._content["runs"].append(
            {"peer": peer, **scenario, "repeat": repeat, "figures": kept, "error": error}
        )
        self._write()

    def _write(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        new = self.path.with_suffix(".new")
        new.write_text(json.dumps(self._content, indent=1) + "\n")
        new.replace(self.path)
