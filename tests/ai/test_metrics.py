"""What a worker counts of the AI and of its jobs, as any node tells it."""

from tests.ai.conftest import Join, Site, Team
from tests.ai.growing import ended
from tests.nodes.server import wait_until
from tests.nodes.worker import WorkerProcess

WITHIN_S = 20.0  # numbers are told every 5 s


def scraped(site: Site, key: str) -> dict[str, float]:
    """Every sample of `/metrics`, by its name and labels."""
    answer = site.nodes[1].request("GET", "/metrics", authorization=f"Api-Key {key}")
    assert answer.status_code == 200, answer.text
    lines = [line for line in answer.text.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


def test_runs_and_their_tokens_are_told(team: Team, join: Join, worker: WorkerProcess) -> None:
    """Two answers with what the provider says they cost, and one that broke off: in no other
    process than the worker, which nobody can ask."""
    site = team.site
    key = site.backstage("person", name="Olga", permission="status.view_status")["key"]
    ada = join("ada")
    before = scraped(site, key)
    for question in ("when is the launch?", "and who says so?", "behave=cut when?"):
        ended(ada, team.ask(question)["id"])
    expected = {
        'pm_ai_runs_total{state="completed"}': 2,
        'pm_ai_runs_total{state="failed"}': 1,
        'pm_ai_tokens_total{direction="input"}': 14,
        'pm_ai_tokens_total{direction="output"}': 18,
        "pm_ai_first_piece_seconds_count": 3,
        "pm_ai_run_seconds_count": 3,
        'pm_jobs_ended_total{end="completed",job="chat.answer"}': 3,
    }
    found: dict[str, float] = {}

    def told() -> bool:
        found.update(scraped(site, key))
        new = {name: found.get(name, 0) - before.get(name, 0) for name in expected}
        return new == expected

    wait_until(told, f"{expected}", WITHIN_S)
    first, whole = (
        found[f"pm_ai_{name}_seconds_sum"] - before.get(f"pm_ai_{name}_seconds_sum", 0)
        for name in ("first_piece", "run")
    )
    assert 0 < first <= whole
    breakers = {name for name in found if name.startswith("pm_breaker_state")}
    assert [name for name in breakers if "the AI's provider" in name], breakers
