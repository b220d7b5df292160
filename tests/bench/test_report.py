"""The report says what a file of results says: medians, gaps, failures, and which bars were met."""

import json
import re
from itertools import pairwise
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from bench.peers import all_peers
from bench.report import ResultsError, newest, write
from bench.report.charts import Line, lines
from bench.report.goals import Goal, Verdict, goals
from bench.report.numbers import cell, number
from bench.report.results import Figure, Results
from bench.report.scales import Linear, Logarithmic
from tests.bench.made_up import ROOM, fan_out, results, run

# What the peers call themselves.
TITLES = {"ours": "ours", "kernel": "kernel"} | {
    name: peer.title for name, peer in all_peers().items()
}


def written(folder: Path, *runs: dict[str, Any], **fields: Any) -> str:
    """The page made of these runs."""
    file = folder / "2026-11-23.json"
    file.write_text(json.dumps(results(*runs, **fields)))
    write(file, folder / "docs")
    return (folder / "docs" / "performance.md").read_text()


def read(folder: Path, *runs: dict[str, Any]) -> Results:
    file = folder / "results.json"
    file.write_text(json.dumps(results(*runs)))
    return Results.read(file)


def goal(found: Results, part: str) -> Goal:
    (only,) = [each for each in goals(found) if part in each.what]
    return only


def section(page: str, title: str) -> str:
    return page.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


ROOM_RUNS = [
    run(peer, "room", fan_out(cpu * times, 10 * times, 30 * times), repeat=repeat)
    for peer, cpu in (("ours", 12.0), ("ws", 18.0), ("daphne-pubsub", 370.0), ("kernel", 9.0))
    for repeat, times in ((1, 1.0), (2, 2.0), (3, 1.1))
]


def test_later_results_replace_whole_scenarios(tmp_path: Path) -> None:
    """With all their servers, so that nothing is compared that was not measured beside it."""
    first, second = tmp_path / "2026-11-23.json", tmp_path / "2026-11-23-again.json"
    calm = run("ws", "calm", fan_out(15, 2, 3))
    first.write_text(json.dumps(results(*ROOM_RUNS, calm)))
    again = [run(peer, "room", fan_out(cpu, 10, 20)) for peer, cpu in (("ours", 8.0), ("ws", 16.0))]
    second.write_text(json.dumps(results(*again, commit="44cd00c")))
    write(first, tmp_path / "docs", later=[second])
    page = (tmp_path / "docs" / "performance.md").read_text()
    assert (
        "Measured again, with all their servers: `room`, from `bench/results/2026-11-23-again"
        in page
    )
    room = section(page, "One room at equal load")
    assert "8.00" in room
    assert "370" not in room
    assert "15.0" in section(page, "One room at a tenth of that load")


def test_repeats_are_shown_as_median_and_range(tmp_path: Path) -> None:
    """Three repeats: the middle one, with the least and the greatest beside it."""
    room = section(written(tmp_path, *ROOM_RUNS), "One room at equal load")
    assert "| 13.2 (12.0-24.0) | 11.0 (10.0-20.0) | 33.0 (30.0-60.0) |" in room
    places = [room.index(f"| {TITLES[name]} |") for name in ("ours", "ws", "kernel")]
    assert places == sorted(places)


def test_ratio_is_taken_within_each_repeat(tmp_path: Path) -> None:
    """A machine that is twice as slow for one repeat changes no ratio."""
    ratio = read(tmp_path, *ROOM_RUNS).ratio("room", "cpu_us_per_delivery", "ours", to="kernel")
    assert ratio is not None
    assert ratio.low == pytest.approx(12 / 9)
    assert ratio.high == pytest.approx(12 / 9)
    assert ratio.count == 3


def test_ratio_of_medians_where_no_repeat_has_both(tmp_path: Path) -> None:
    found = read(
        tmp_path,
        run("ours", "room", fan_out(12, 1, 2), repeat=1),
        run("ws", "room", fan_out(24, 1, 2), repeat=2),
    )
    assert found.ratio("room", "cpu_us_per_delivery", "ours", to="ws") == Figure.of([0.5])


def test_entries_of_one_repeat_count_once(tmp_path: Path) -> None:
    """Ours is measured beside each peer: three entries of one repeat are no three repeats."""
    found = read(
        tmp_path, *(run("ours", "room", fan_out(cpu, 1, 2), repeat=1) for cpu in (10, 11, 30))
    )
    assert found.figure("room", "ours", "cpu_us_per_delivery") == Figure.of([11.0])


def test_goals_say_reached_missed_and_not_measured(tmp_path: Path) -> None:
    """1.33 times the kernel and 0.67 of ws are enough, 40 ms of p99 too; the rest is open."""
    page = written(tmp_path, *ROOM_RUNS)
    found = Results.read(tmp_path / "2026-11-23.json")
    assert goal(found, "bare `send(2)` loop").verdict == Verdict.REACHED
    assert goal(found, "Node `ws`").verdict == Verdict.REACHED
    assert goal(found, "p99 commit to receipt").verdict == Verdict.REACHED
    assert goal(found, "Resume storm, 5,000 sockets, 100 missed events each: p99").measured is None
    counts = re.search(r"(\d+) reached, (\d+) not reached, (\d+) not measured\.", page)
    assert counts is not None
    assert [int(each) for each in counts.groups()] == [4, 0, len(goals(found)) - 4]


@pytest.mark.parametrize(
    ("part", "runs"),
    [
        (
            "bare `send(2)` loop",
            [("ours", "room", fan_out(13, 1, 2)), ("kernel", "room", fan_out(9, 1, 2))],
        ),
        ("p99 commit to receipt", [("ours", "room", fan_out(9, 20, 50))]),
        (
            "backlog of 50",
            [("ours", "backlog", fan_out(9, 1, 2)), ("kernel", "backlog", fan_out(9, 1, 2))],
        ),
        ("connected a second", [("ours", "connects", {"connects_per_s": 799})]),
    ],
)
def test_goal_is_missed_just_beyond_its_bar(
    tmp_path: Path, part: str, runs: list[tuple[str, str, dict[str, Any]]]
) -> None:
    assert goal(read(tmp_path, *(run(*each) for each in runs)), part).verdict == Verdict.MISSED


def test_goals_of_memory_look_at_their_own_number_of_sockets(tmp_path: Path) -> None:
    """150 MB is the bar of 10,000 sockets, 200 MB that of 15,000."""
    found = read(
        tmp_path,
        *(
            run("ours", "idle", {"rss_mb": mb, "kb_per_socket": 3}, kind="idle", sockets=sockets)
            for sockets, mb in ((10_000, 151), (15_000, 199))
        ),
    )
    assert goal(found, "10,000 idle subscribed sockets, resident").verdict == Verdict.MISSED
    assert goal(found, "15,000 idle").verdict == Verdict.REACHED


def test_one_lost_event_misses_the_goal_of_the_storm(tmp_path: Path) -> None:
    """Lost is summed over the repeats, so that no median hides it."""
    storm = [
        run(
            "ours",
            "storm",
            {"resumed_p99_ms": 900, "lost": lost},
            kind="storm",
            repeat=repeat,
            sockets=5_000,
        )
        for repeat, lost in ((1, 0), (2, 1), (3, 0))
    ]
    assert goal(read(tmp_path, *storm), "events lost").verdict == Verdict.MISSED


def test_publishes_have_a_goal_for_each_number_of_writers(tmp_path: Path) -> None:
    """Only one event a transaction on PostgreSQL is asked for."""
    where: dict[str, Any] = {"kind": "publishes", "streams": 100}
    found = read(
        tmp_path,
        *(
            run(
                "ours",
                "publishes",
                {"events_per_s": events, "inserts_per_s": 800},
                database=database,
                threads=threads,
                batch=1,
                **where,
            )
            for database, threads, events in (
                ("postgresql", 1, 401),
                ("postgresql", 8, 399),
                ("sqlite", 1, 1),
            )
        ),
    )
    verdicts = [each.verdict for each in goals(found) if "Durable publishes" in each.what]
    assert verdicts == [Verdict.REACHED, Verdict.MISSED]


def test_server_that_could_not_keep_up_has_a_star(tmp_path: Path) -> None:
    """In the tables and in the note of the goal that it is compared in."""
    page = written(
        tmp_path,
        run("ours", "room", fan_out(12, 10, 30)),
        run("daphne-pubsub", "room", fan_out(370, 900, 2500, saturated=True)),
    )
    room = section(page, "One room at equal load")
    assert "| 12.0 | 10.0 | 30.0 |" in room
    assert "| 370 \\* | 900 \\* | 2,500 \\* |" in room
    assert "\\* The server could not keep up" in room
    assert "a server could not keep up at this load" in section(page, "What it must reach")


def test_missing_peers_and_failed_runs_are_said(tmp_path: Path) -> None:
    """With the command that installs the one and the error of the other; no row, no crash."""
    page = written(
        tmp_path,
        run("ours", "room", fan_out(12, 10, 30)),
        run("ws", "room", {}, error="exit status 1\nand its log"),
        skipped=[{"peer": "centrifuge", "install": "go build -C bench/peers/go -o server ."}],
    )
    assert "`go build -C bench/peers/go -o server .`" in page
    assert f"- {TITLES['ws']}, room, repeat 1: exit status 1\n" in page
    assert f"| {TITLES['ws']} |" not in section(page, "One room at equal load")


def test_missing_figures_leave_dashes(tmp_path: Path) -> None:
    """A figure that was not measured is a dash, and a scenario that was not says so."""
    page = written(
        tmp_path,
        run("ours", "room", fan_out(12, 10, 30)),
        run("ws", "room", {"cpu_us_per_delivery": 18}),
        run("ours", "idle", {"rss_mb": 90}, kind="idle", sockets=1_000),
    )
    assert f"| {TITLES['ws']} | 18.0 | - | - | - | - |" in section(page, "One room at equal load")
    assert section(page, "Sustained maximum").strip() == "Not measured in this run."
    assert f"| {TITLES['ours']} | 1,000 | - | 90.0 | - |" in section(page, "Memory per connection")


def test_nothing_measured_still_makes_a_page(tmp_path: Path) -> None:
    """Every bar is open and there is no picture."""
    page = written(tmp_path, quick=True)
    assert "0 reached, 0 not reached" in page
    assert "**A quick run**" in page
    assert list((tmp_path / "docs" / "performance").iterdir()) == []


def test_growth_has_a_column_for_each_value(tmp_path: Path) -> None:
    """Also where a server was not measured with all of them."""
    page = written(
        tmp_path,
        *(
            run(peer, "room_size", fan_out(cpu, 1, 2), **{**ROOM, "sockets": sockets})
            for peer, sockets, cpu in (("ours", 10, 30), ("ours", 1_000, 12), ("ws", 1_000, 18))
        ),
    )
    growth = section(page, "Growth with the size of a room")
    assert "| CPU per delivery, us | 10 sockets | 1,000 sockets |" in growth
    assert f"| {TITLES['ws']} | - | 18.0 |" in growth


def test_pictures_are_well_formed_and_all_referred_to(tmp_path: Path) -> None:
    """Names with XML in them are escaped; what the page no longer has is removed."""
    (tmp_path / "docs" / "performance").mkdir(parents=True)
    old = tmp_path / "docs" / "performance" / "old.svg"
    old.write_text("<svg/>")
    page = written(tmp_path, *ROOM_RUNS, run("<&>", "room", fan_out(12, 10, 30)))
    pictures = {file.name for file in old.parent.iterdir()}
    assert pictures == {"room-cpu.svg", "room-latency.svg"}
    assert set(re.findall(r"\(performance/(.+?)\)", page)) == pictures
    for name in pictures:
        root = ET.fromstring((old.parent / name).read_text())
        texts = [text for each in root.iter() if (text := each.text)]
        assert "<&>" in texts
        assert any("prefers-color-scheme:dark" in text for text in texts)


def test_names_at_the_ends_of_lines_do_not_touch() -> None:
    """Eight servers with the same figures."""
    same = [(10.0, Figure.of([5.0])), (100.0, Figure.of([5.0]))]
    drawn = lines("title", "sockets", [Line(f"server {slot}", same, slot) for slot in range(8)])
    places = sorted(
        float(found[1]) for found in re.finditer(r'y="([0-9.]+)"[^>]*>server \d', drawn)
    )
    assert len(places) == 8
    assert min(b - a for a, b in pairwise(places)) >= 15


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (0.01234, "0.0123"),
        (9.996, "10.0"),
        (11.72, "11.7"),
        (99.96, "100"),
        (12345, "12,300"),
    ],
)
def test_number_has_three_digits_that_count(value: float, text: str) -> None:
    assert number(value) == text


def test_cell_of_one_repeat_has_no_range() -> None:
    assert cell(Figure.of([11.72])) == "11.7"
    assert cell(None) == "-"


def test_scales_hold_what_they_show() -> None:
    """All values lie on the axis, and so do all ticks."""
    for most in (0.0, 0.003, 1.0, 7.0, 68_600.0):
        scale = Linear(most)
        assert scale.place(most) <= 1.0
        assert all(0 <= scale.place(tick) <= 1.0001 for tick in scale.ticks())
    for values in ([5.0], [0.2, 4300.0], [8.5, 9.0, 480.0], [1.0, 1e9]):
        around = Logarithmic.around(values)
        assert all(0 < around.place(value) < 1 for value in values)
        assert 1 <= len(around.ticks()) <= 10
        assert all(0 <= around.place(tick) <= 1 for tick in around.ticks())


def test_figure_too_small_to_be_measured_is_drawn_at_the_beginning(tmp_path: Path) -> None:
    """CPU is counted in ticks of 10 ms: a short run of a small room may have none."""
    page = written(tmp_path, *ROOM_RUNS[:3], run("ws", "room", fan_out(0, 0, 0)))
    assert f"| {TITLES['ws']} | 0 | 0 | 0 |" in section(page, "One room at equal load")
    assert Logarithmic.around([0.0, 3.0]).place(0.0) == 0.0


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "expected results of a bench"),
        ("[]", "expected results of format 1, got None"),
        ('{"format": 2}', "expected results of format 1, got 2"),
        ('{"format": 1}', "lacks 'date'"),
        (None, "expected results of a bench"),
    ],
)
def test_file_of_something_else_is_refused(tmp_path: Path, content: str | None, said: str) -> None:
    """With its name and what was expected; an old page stays as it is."""
    file = tmp_path / "results.json"
    if content is not None:
        file.write_text(content)
    with pytest.raises(ResultsError, match=re.escape(said)) as raised:
        write(file, tmp_path / "docs")
    assert str(file) in str(raised.value)
    assert not (tmp_path / "docs").exists()


def test_newest_results_are_those_with_the_last_name(tmp_path: Path) -> None:
    with pytest.raises(ResultsError, match="run make bench first"):
        newest(tmp_path)
    for name in ("2026-11-23.json", "2026-12-01.json", "2026-11-30.json"):
        (tmp_path / name).write_text("{}")
    assert newest(tmp_path).name == "2026-12-01.json"
