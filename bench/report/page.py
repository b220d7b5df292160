"""The page: what was to be reached and was, the measurements, what they do not say, how to repeat.

Sober on purpose: every number comes from the file of results.
"""

from collections.abc import Iterable

from bench.report.goals import Goal, Verdict, goals
from bench.report.loads import load_sections
from bench.report.numbers import ABSENT, cell, number
from bench.report.results import KERNEL, Results
from bench.report.standing import standing_sections
from bench.report.tables import table
from bench.report.view import View

_LIMITS = """\
- One machine, the loopback, no TLS, no compression: no network, no proxy. The server has one core
  and one process; the load, Redis and the measuring have the other. All of these servers can be
  run as many processes; that is not measured here.
- Absolute figures move with the machine and from run to run. Ratios of servers that were measured
  beside each other hold better; they are taken within each repeat.
- The servers do not do the same. This project authenticates every socket, checks its rights, writes
  every message to the log before anybody sees it, in order, and lets a client go on where it was;
  the peers, as written here after their documentation, pass a text on to whoever is connected and
  have no database. What they send while Redis, the server or the client is away is gone.
- The peers run as their documentation shows them, with access logs off. Somebody who knows them
  well may get more out of them. centrifuge, the library that Centrifugo is made of, stands for it.
- Latencies say something only where a server keeps up; of one that does not, they say how long the
  measurement lasted.
- The bare `send(2)` loop is a C program that writes prepared bytes to every socket, one call each.
  It reads nothing and parses nothing. It is the price of the kernel, not a server."""

_REPEAT = """\
`make bench` measures everything (about 15 minutes on an otherwise idle machine), writes
`bench/results/<date>.json` and this page. `python -m bench.report FILE` makes the page from an
older file. How the peers are installed: `bench/README.md`."""


def page(results: Results) -> tuple[str, dict[str, str]]:
    """The Markdown, and its pictures by file name."""
    view = View(results)
    sections = [*load_sections(view), *standing_sections(view)]
    pictures = {name: drawn for each in sections for name, drawn in each.pictures.items()}
    parts = [
        "# Performance",
        _opening(results),
        "## What it must reach",
        _goals(goals(results)),
        *(part for each in sections for part in (f"## {each.title}", each.text)),
        "## What the numbers do not say",
        _LIMITS,
        "## How it was measured",
        _method(results),
        *_notes(view),
        "## To repeat it",
        _REPEAT,
    ]
    return "\n\n".join(parts) + "\n", pictures


def _source(results: Results) -> str:
    uncommitted = " with uncommitted changes" if results.commit.endswith("+") else ""
    return (
        f"`bench/results/{results.name}`, which was begun {results.date[:16].replace('T', ' ')} UTC"
        f" at commit `{results.commit}`{uncommitted}"
    )


def _opening(results: Results) -> str:
    said = [f"Made by `python -m bench.report` from {_source(results)}. Do not edit."]
    for later in results.later:
        again = ", ".join(f"`{name}`" for name in dict.fromkeys(run.scenario for run in later.runs))
        said.append(f"Measured again, with all their servers: {again}, from {_source(later)}.")
    said += [
        (
            "Figures of repeated measurements are the median, with the least and the greatest in"
            " brackets."
        ),
    ]
    if results.quick:
        said.append(
            "**A quick run**: short windows and few repeats, to see that the bench works. Its"
            " figures are not for comparing."
        )
    return "\n\n".join(said)


def _goals(found: Iterable[Goal]) -> str:
    rows = [
        [
            goal.what + (f" ({goal.note})" if goal.note else ""),
            goal.bar,
            _measured(goal),
            goal.verdict,
        ]
        for goal in found
    ]
    reached = sum(row[3] == Verdict.REACHED for row in rows)
    missed = sum(row[3] == Verdict.MISSED for row in rows)
    summary = (
        f"{reached} reached, {missed} not reached, {len(rows) - reached - missed} not measured."
    )
    return f"{summary}\n\n{table(('', 'bar', 'measured', ''), rows)}"


def _measured(goal: Goal) -> str:
    return ABSENT if goal.measured is None else f"{cell(goal.measured)} {goal.unit}".strip()


def _method(results: Results) -> str:
    generator = results.generator
    said = (
        "A load generator in C opens the sockets, publishes on sockets of its own and reads every"
        " frame. Send times stand in the messages; receipt times come from the kernel"
        " (`SO_TIMESTAMPNS`), so that a queue in the generator is not counted as the server's. CPU"
        " is user and system time of the server's processes over the measured window. Each peer is"
        " measured in turns with this project."
    )
    if "us_per_frame" in generator and "frames_per_s" in generator:
        said += (
            f" The generator itself takes {number(generator['us_per_frame'])} us for a small frame:"
            f" it received {number(generator['frames_per_s'])} a second from a loop that sends"
            " several in one call."
        )
    machine = ", ".join(f"{name} {value}" for name, value in results.machine.items())
    return f"{said}\n\nMachine: {machine}."


def _notes(view: View) -> list[str]:
    """Versions, what was left out, what failed."""
    results, parts = view.results, []
    rows = [
        [view.title(peer), ", ".join(f"{name} {version}" for name, version in versions.items())]
        for peer, versions in results.versions.items()
        if versions and peer != KERNEL
    ]
    if rows:
        head, _marks, *body = table(("server", "versions"), rows).split("\n")
        parts.append("\n".join([head, "| --- | --- |", *body]))
    if results.skipped:
        listed = [f"- {view.title(each.peer)}: `{each.install}`" for each in results.skipped]
        parts.append("Not installed and so not measured:\n\n" + "\n".join(listed))
    if failed := results.failed():
        listed = [
            f"- {view.title(run.peer)}, {run.scenario}, repeat {run.repeat}:"
            f" {str(run.error).splitlines()[0]}"
            for run in failed
        ]
        parts.append("Runs that failed:\n\n" + "\n".join(listed))
    return parts
