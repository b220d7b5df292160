"""A run's text as a client builds it by the protocol document."""

from typing import Any

from tests.nodes.client import Client, Frame


class Growing:
    """A run's text as a client builds it by the protocol document."""

    def __init__(self, run: int, text: str = "", generation: int = 0) -> None:
        self.run = run
        self.text = text
        self.generation = generation
        self.state = ""
        self.holes = 0
        self.deltas = 0

    def take(self, frame: Frame) -> None:
        data: dict[str, Any] = frame.get("data", {})
        if not isinstance(data, dict) or data.get("run") != self.run:
            return
        match frame["type"]:
            case "ai_processing_start" if data["generation"] > self.generation:
                self.generation, self.text, self.state = data["generation"], "", ""
            case "ai_processing_progress" if data["generation"] == self.generation:
                self._progress(data["offset"], data["delta"])
            case "ai_response_generated":
                self.text = data["message"]["body"]
            case "ai_processing_end":
                self.state = data["state"]

    def _progress(self, offset: int, delta: str) -> None:
        if self.state:
            return
        self.deltas += 1
        if offset > len(self.text):
            self.holes += 1
        elif len(self.text) < offset + len(delta):
            assert delta.startswith(self.text[offset:])
            self.text = self.text[:offset] + delta


def ended(client: Client, run: int, timeout_s: float = 10.0) -> Growing:
    """Follow the run to its end as the protocol says."""
    client.wait_for(
        lambda frame: frame.get("type") == "ai_processing_end" and frame["data"]["run"] == run,
        timeout_s,
    )
    growing = Growing(run)
    for frame in client.frames:
        growing.take(frame)
    return growing


def of_run(client: Client, run: int) -> list[str]:
    """Types of the events about the run, in order, each once in a row."""
    names = [
        frame["type"]
        for frame in client.frames
        if isinstance(frame.get("data"), dict) and frame["data"].get("run") == run
    ]
    return [name for at, name in enumerate(names) if at == 0 or names[at - 1] != name]


def is_kept(client: Client, run: int) -> bool:
    """Whether two checkpoints of the run were committed: deltas begin at the last but one."""
    client.flushed()
    return any(
        frame["data"]["run"] == run and frame["data"]["offset"] > 0
        for frame in client.frames
        if frame.get("type") == "ai_processing_progress"
    )
