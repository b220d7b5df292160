"""Rooms under load: equal load for all, backlogs, many rooms, the sustained maximum, growth."""

from bench.report import charts
from bench.report.numbers import cell
from bench.report.results import KERNEL, Figure
from bench.report.tables import table
from bench.report.view import CPU, NOTHING, P50, P99, Section, View

CPU_COLUMN = "CPU per delivery, us"
_LATENCY = (
    "Latency counts from just before a message is sent to the moment when the reader's kernel has"
    " its bytes; for this project that includes the durable commit, for the peers there is none."
)
_CALM = "For the servers that cannot carry the load above: the same room with fewer messages."


def load_sections(view: View) -> list[Section]:
    """In the order of the page."""
    return [
        _equal_load(view, "room", "One room at equal load", _LATENCY),
        _equal_load(view, "calm", "One room at a tenth of that load", _CALM),
        _backlog(view),
        _growth(view, "room_size", "sockets", "Growth with the size of a room", "sockets"),
        _growth(view, "message_size", "size", "Growth with the size of a message", "bytes"),
        _many_rooms(view),
        _maximum(view),
    ]


def _equal_load(view: View, scenario: str, title: str, how: str) -> Section:
    if not view.results.peers(scenario):
        return Section(title, NOTHING)
    pictures = {}
    if cpu := view.rows(scenario, (CPU,)):
        limit = view.limit(scenario, CPU)
        pictures[f"{scenario}_cpu"] = charts.dots(
            f"{title}: server CPU per delivery", "us, less is better", cpu, limit
        )
    if times := view.rows(scenario, (P50, P99)):
        pictures[f"{scenario}_latency"] = charts.dots(
            f"{title}: send to receipt, p50 and p99", "ms, less is better", times
        )
    columns = {CPU_COLUMN: CPU, "p50, ms": P50, "p99, ms": P99}
    counts = {"lost": "lost", "repeated": "repeated"}
    return view.section(scenario, title, how, view.table(scenario, columns, counts), **pictures)


def _backlog(view: View) -> Section:
    title = "A backlog"
    how = (
        "Many messages at once. What has gathered for a socket may be written in one call; the bare"
        " loop makes one call for each message and socket, so that a server that joins can be"
        " below it."
    )
    return _by_cpu(view, "backlog", title, how, {CPU_COLUMN: CPU, "p99, ms": P99})


def _many_rooms(view: View) -> Section:
    how = "What a message costs once is shared by few deliveries here."
    columns = {CPU_COLUMN: CPU, "p50, ms": P50, "p99, ms": P99}
    return _by_cpu(view, "many_rooms", "Many small rooms", how, columns)


def _by_cpu(view: View, scenario: str, title: str, how: str, columns: dict[str, str]) -> Section:
    if not view.results.peers(scenario):
        return Section(title, NOTHING)
    pictures = {}
    if rows := view.rows(scenario, (CPU,)):
        limit = view.limit(scenario, CPU)
        pictures[scenario] = charts.dots(
            f"{title}: server CPU per delivery", "us, less is better", rows, limit
        )
    written = view.table(scenario, columns, {"lost": "lost"})
    return view.section(scenario, title, how, written, **pictures)


def _maximum(view: View) -> Section:
    title, name = "Sustained maximum", "deliveries_per_s"
    if not view.results.peers("maximum"):
        return Section(title, NOTHING)
    how = (
        "The rate is raised step by step; shown is the highest step with a p99 of at most 200 ms"
        " and nothing lost."
    )
    rows = view.rows("maximum", (name,))
    pictures = (
        {"maximum": charts.bars("Deliveries a second, one core", "more is better", rows)}
        if rows
        else {}
    )
    columns = {"deliveries/s": name, "messages/s": "messages_per_s", "p99, ms": P99}
    return view.section("maximum", title, how, view.table("maximum", columns), **pictures)


def _growth(view: View, scenario: str, parameter: str, title: str, unit: str) -> Section:
    """A line for each server; the tables have CPU and p99."""
    results = view.results
    values, peers = results.values(scenario, parameter), results.peers(scenario)
    if not peers or not values:
        return Section(title, NOTHING)

    def figures(peer: str, name: str) -> list[Figure | None]:
        return [results.figure(scenario, peer, name, **{parameter: value}) for value in values]

    def line(peer: str) -> charts.Line:
        found = zip(values, figures(peer, CPU), strict=True)
        points = [(float(value), figure) for value, figure in found if figure is not None]
        if peer == KERNEL:
            return charts.Line("bare send(2)", points)
        return charts.Line(view.title(peer), points, view.slot(peer))

    def written(what: str, name: str, whole: list[str]) -> str:
        rows = [[view.title(peer), *map(cell, figures(peer, name))] for peer in whole]
        return table([what, *(f"{value:,} {unit}" for value in values)], rows)

    measured = [KERNEL] if any(figures(KERNEL, CPU)) else []
    drawn = [each for each in map(line, [*peers, *measured]) if each.points]
    pictures = (
        {scenario: charts.lines(f"{title}: server CPU per delivery, us", unit, drawn)}
        if drawn
        else {}
    )
    return view.section(
        scenario,
        title,
        "The larger the room, the fewer the messages, so that deliveries a second stay bounded."
        if parameter == "sockets"
        else "",
        written(CPU_COLUMN, CPU, [*peers, *measured]),
        written("p99, ms", P99, peers),
        **pictures,
    )
