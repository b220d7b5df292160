"""`python -m bench.run`: what it refuses before it begins, its plan, its files."""

import json
import os
import resource
import socket
from pathlib import Path
from typing import Any

import pytest

from bench import preflight
from bench.measures import KINDS
from bench.peers import all_peers
from bench.peers.kernel import Kernel
from bench.record import Record
from bench.run import chosen, parsed_options, rounds
from bench.scenarios import all_scenarios, load, most_sockets, room_counts


def test_every_scenario_can_be_measured() -> None:
    """Its kind exists, its peers are known or optional, and its cases differ in what varies."""
    for quick in (False, True):
        found = all_scenarios(quick=quick)
        assert {"room", "backlog", "maximum", "connects", "idle", "storm"} <= set(found)
        for scenario in found.values():
            assert scenario.kind in KINDS
            assert scenario.about
            varied = [tuple(case[name] for name in scenario.varied) for case in scenario.cases]
            assert len(set(varied)) == len(scenario.cases) > 0


def test_cases_are_the_rows_of_what_varies(tmp_path: Path) -> None:
    """Lists of different lengths are a mistake in the file."""
    file = tmp_path / "made.toml"
    head = 'about = "x"\nkind = "fan_out"\norder = 1\nrepeats = 2\nrooms = 3\n[vary]\n'
    file.write_text(head + "sockets = [1, 20]\nrate = [5, 6]\n")
    made = load(file)
    assert made.cases == (
        {"rooms": 3, "sockets": 1, "rate": 5},
        {"rooms": 3, "sockets": 20, "rate": 6},
    )
    assert (room_counts([made]), most_sockets([made])) == ((3,), 20)
    file.write_text(head + "sockets = [1]\nrate = [5, 6]\n")
    with pytest.raises(SystemExit, match="vary: expected lists of one length"):
        load(file)


def test_unknown_names_are_refused_with_the_known_ones() -> None:
    """For peers and scenarios alike."""
    known = {"ours": 1, "kernel": 2, "ws": 3}
    assert chosen("--peers", None, known) == known
    assert list(chosen("--peers", "ws, ours", known)) == ["ours", "ws"]
    with pytest.raises(SystemExit, match=r"--peers: expected names of ours, .*, got 'wss'"):
        chosen("--peers", "ours,wss", known)
    with pytest.raises(SystemExit, match=r"got ','"):
        chosen("--peers", ",", known)


@pytest.mark.parametrize("port", ["0", "80", "65535", "x"])
def test_a_wrong_port_is_refused(port: str, capsys: pytest.CaptureFixture[str]) -> None:
    """There must be room for three."""
    with pytest.raises(SystemExit):
        parsed_options(["--port", port])
    assert "--port" in capsys.readouterr().err


def test_a_busy_port_is_named() -> None:
    """Whichever of the three it is."""
    with socket.create_server(("127.0.0.1", 0)) as busy:
        port = busy.getsockname()[1]
        with pytest.raises(SystemExit, match=f"expected {port} to be free"):
            preflight.expect_ports(port - 1, 3)
    preflight.expect_ports(port, 1)


def test_too_few_files_are_said_with_the_number_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The hard limit decides; a low soft one is raised."""
    raised: list[Any] = []
    monkeypatch.setattr(resource, "getrlimit", lambda which: (1024, 4096))
    monkeypatch.setattr(resource, "setrlimit", lambda which, limits: raised.append(limits))
    with pytest.raises(SystemExit, match="expected at least 10500 for 10000 sockets, got 4096"):
        preflight.expect_files(10_000)
    preflight.expect_files(3000)
    assert raised == [(3500, 4096)]


def test_a_missing_peer_is_skipped_with_its_command(capsys: pytest.CaptureFixture[str]) -> None:
    """The others stay."""

    class Absent(Kernel):
        name = "absent"

        def missing(self) -> str | None:
            return "install absent"

    installed, skipped = preflight.without_missing({"kernel": Kernel(), "absent": Absent()})
    assert (list(installed), skipped) == (
        ["kernel"],
        [{"peer": "absent", "install": "install absent"}],
    )
    assert "`install absent` installs it" in capsys.readouterr().err


def test_ours_and_the_limit_come_first() -> None:
    """The order of a round; every name is its peer's."""
    found = all_peers()
    assert list(found)[:2] == ["ours", "kernel"]
    assert all(peer.name == name for name, peer in found.items())


def test_rounds_repeat_what_is_to_be_repeated() -> None:
    """The first has all of a peer's scenarios in their order, the last only those of three."""
    scenarios = list(all_scenarios().values())
    plan = rounds(scenarios, "ours")
    assert len(plan) == 3
    orders = [scenario.order for scenario in plan[0]]
    assert orders == sorted(orders)
    assert {scenario.repeats for scenario in plan[2]} == {3}
    assert "storm" not in {scenario.name for scenario in rounds(scenarios, "kernel")[0]}


def test_a_record_is_whole_after_every_figure(tmp_path: Path) -> None:
    """Absent figures are left out; nothing else stays in the folder."""
    record = Record(quick=True, path=tmp_path / "made" / "results.json")
    record["skipped"] = []
    case = {"scenario": "room", "kind": "fan_out", "parameters": {"sockets": 1}}
    record.add("ours", case, 1, {"p50_ms": 1.5, "cpu_us_per_delivery": None}, None)
    content = json.loads(record.path.read_text())
    assert content["format"] == 1
    assert content["machine"]["cores"] == len(os.sched_getaffinity(0))
    assert content["runs"] == [
        {"peer": "ours", **case, "repeat": 1, "figures": {"p50_ms": 1.5}, "error": None}
    ]
    assert [path.name for path in record.path.parent.iterdir()] == ["results.json"]
