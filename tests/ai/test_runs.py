"""Runs of the AI from the question to the stored answer: real servers, worker and provider."""

import time
from typing import Any

from tests.ai.conftest import Join, Team
from tests.ai.provider import ANSWER
from tests.nodes.client import Client, Frame
from tests.nodes.worker import WorkerProcess


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


def test_answer_grows_and_is_stored(team: Team, join: Join, worker: WorkerProcess) -> None:
    """Both nodes see the same start, progress and end; the database has one message."""
    ada, bob = join("ada"), join("bob", node=1)
    run = team.ask("when is the launch?")
    for client in (ada, bob):
        growing = ended(client, run["id"])
        assert (growing.text, growing.state, growing.holes) == (ANSWER, "completed", 0)
        assert of_run(client, run["id"])[0] == "ai_processing_start"
        client.wait_for("message_processed")
        names = of_run(client, run["id"])
        assert [name for name in names if name != "ai_processing_progress"] == [
            "ai_processing_start",
            "ai_response_generated",
            "ai_processing_end",
            "message_processed",
        ]
    answers = team.request("ada", "GET", "messages/?kind=ai").json()["results"]
    assert [(row["id"], row["body"], row["author"]) for row in answers] == [
        (run["message"], ANSWER, None)
    ]


def test_timings_and_status_are_told(team: Team, join: Join, worker: WorkerProcess) -> None:
    """Queued, thinking, writing, idle; how long the question waited for what."""
    ada = join("ada")
    run = team.ask("behave=slow tell me")
    ended(ada, run["id"])
    processed = ada.wait_for("message_processed")["data"]
    assert processed["message"] == run["question"]
    timings = processed["timings_ms"]
    assert 0 <= timings["queue"] <= timings["first_token"] < timings["total"]
    ada.wait_for(lambda frame: frame.get("data", {}).get("status") == "idle")
    told = [
        frame["data"]["status"] for frame in ada.frames if frame.get("type") == "chat_status_update"
    ]
    assert told == ["queued", "thinking", "writing", "idle"]


def test_cancelling_from_another_tab_closes_the_stream(
    team: Team, join: Join, worker: WorkerProcess
) -> None:
    """A viewer on the other node stops it: within 200 ms the provider's stream is closed, and the
    text so far is the answer."""
    ada, vera = join("ada"), join("vera", node=1)
    run = team.ask("behave=endless go on")
    ada.wait_for("ai_processing_progress")
    provider = team.site.provider
    closed = provider.closed
    began = time.monotonic()
    assert vera.ok("cancel_run", run=run["id"]) == {"state": "running"}
    while provider.closed == closed:
        assert time.monotonic() - began < 0.2
        time.sleep(0.002)
    growing, other = ended(ada, run["id"]), ended(vera, run["id"])
    assert growing.state == other.state == "cancelled"
    assert growing.text == other.text
    assert growing.text.startswith("word0 ")
    assert vera.ok("cancel_run", run=run["id"]) == {"state": "cancelled"}
