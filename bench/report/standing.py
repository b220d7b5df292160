"""What sockets cost besides messages: memory, connects, the resume storm; and durable publishes."""

from bench.report import charts
from bench.report.goals import publish_ratio
from bench.report.numbers import cell
from bench.report.results import OURS
from bench.report.tables import table
from bench.report.view import NOTHING, P50, P99, Section, View


def standing_sections(view: View) -> list[Section]:
    """In the order of the page."""
    return [_idle(view), _connects(view), _storm(view), _publishes(view)]


def _idle(view: View) -> Section:
    """The picture has each server with the most sockets that it was measured with."""
    results, title, name = view.results, "Memory per connection", "kb_per_socket"
    values, peers = results.values("idle", "sockets"), results.peers("idle")
    if not peers or not values:
        return Section(title, NOTHING)
    rows = []
    for peer in peers:
        measured = [
            (value, figure)
            for value in values
            if (figure := results.figure("idle", peer, name, sockets=value)) is not None
        ]
        if measured:
            most, figure = measured[-1]
            label = f"{view.title(peer)} ({most:,})"
            rows.append(charts.Row(label, (figure,), own=peer == OURS))
    pictures = (
        {"idle": charts.bars("Memory per idle connection (of so many)", "KB, less is better", rows)}
        if rows
        else {}
    )
    columns = ("rss_empty_mb", "rss_mb", name)
    shown = [
        [view.title(peer), f"{value:,}", *map(cell, figures)]
        for peer in peers
        for value in values
        if any(figures := [results.figure("idle", peer, each, sockets=value) for each in columns])
    ]
    heads = ("server", "sockets", "empty server, MB", "with them, MB", "each, KB")
    how = (
        "Resident memory of the server's processes with idle sockets that have joined their rooms,"
        " above the same server without any."
    )
    return view.section("idle", title, how, table(heads, shown), **pictures)


def _connects(view: View) -> Section:
    title, name = "Connects", "connects_per_s"
    if not view.results.peers("connects"):
        return Section(title, NOTHING)
    how = (
        "From the begin of the connection to the joined room. This project authenticates each"
        " socket and checks its right to the room; the peers let everybody in."
    )
    rows = view.rows("connects", (name,))
    pictures = (
        {"connects": charts.bars("Connects a second, one core", "more is better", rows)}
        if rows
        else {}
    )
    columns = {
        "connects/s": name,
        "CPU each, ms": "cpu_ms_per_connect",
        "p50, ms": P50,
        "p99, ms": P99,
    }
    written = view.table("connects", columns, {"failed": "failed"})
    return view.section("connects", title, how, written, **pictures)


def _storm(view: View) -> Section:
    title = "Resume storm"
    if not view.results.peers("storm"):
        return Section(title, NOTHING)
    how = (
        "All sockets are cut off, miss events, and come back at once with their positions. The"
        " peers, as they are set up here, have nothing from which a client could go on, so that"
        " they have no row (centrifuge can keep a history of bounded length; not measured)."
    )
    columns = {
        "p50 to resumed, ms": "resumed_p50_ms",
        "p99 to resumed, ms": "resumed_p99_ms",
        "p99 from its own connect, ms": "own_p99_ms",
        "seconds in all": "seconds",
    }
    counts = {name: name for name in ("resumed", "lost", "repeated")}
    return view.section("storm", title, how, view.table("storm", columns, counts))


def _publishes(view: View) -> Section:
    """Ours only, against bare INSERTs on the same connections."""
    title, results, names = "Durable publishes", view.results, ("events_per_s", "inserts_per_s")
    cases = []
    for run in results.runs:
        if run.scenario == "publishes" and run.figures and run.parameters not in cases:
            cases.append(run.parameters)
    if not cases:
        return Section(title, NOTHING)
    rows = [
        [
            ", ".join(f"{name} {value}" for name, value in case.items()),
            *(cell(results.figure("publishes", OURS, name, **case)) for name in names),
            cell(publish_ratio(results, case)),
        ]
        for case in cases
    ]
    how = (
        "Events a second, each in the log with its seq, against the same rows written by bare"
        " INSERTs in the same transactions."
    )
    return Section(title, f"{how}\n\n{table(('case', 'events/s', 'INSERTs/s', 'ratio'), rows)}")
