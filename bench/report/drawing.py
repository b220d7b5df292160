"""A drawing in SVG, built by hand: a few shapes, and a style for light and dark pages."""

from html import escape

# Colours of series by their slot, light and dark; told apart by people with weak colour vision.
SERIES = (
    ("#2a78d6", "#3987e5"),
    ("#eb6834", "#d95926"),
    ("#1baf7a", "#199e70"),
    ("#4a3aa7", "#9085e9"),
    ("#eda100", "#c98500"),
    ("#e87ba4", "#d55181"),
    ("#008300", "#4aa84a"),
    ("#e34948", "#e66767"),
)
_PAPER, _INK, _FAINT_INK, _GRID, _PLAIN = (
    ("#fcfcfb", "#1a1a19"),
    ("#0b0b0b", "#ffffff"),
    ("#52514e", "#c3c2b7"),
    ("#e1e0d9", "#363633"),
    ("#8d8c86", "#8d8c86"),
)


class Drawing:
    """Shapes are given in pixels from the top left; `style` names a class of the style sheet."""

    def __init__(self, width: int, height: int, title: str) -> None:
        self._size = (width, height)
        self._title = title
        self._shapes: list[str] = []

    def line(self, x1: float, y1: float, x2: float, y2: float, style: str) -> None:
        self._add(f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"', style)

    def polyline(self, points: list[tuple[float, float]], style: str) -> None:
        listed = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        self._add(f'<polyline points="{listed}"', style)

    def circle(self, x: float, y: float, radius: float, style: str) -> None:
        self._add(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius:.1f}"', style)

    def bar(self, x: float, y: float, width: float, height: float, style: str) -> None:
        place = f'x="{x:.1f}" y="{y:.1f}" width="{max(width, 1):.1f}" height="{height:.1f}"'
        self._add(f'<rect {place} rx="2"', style)

    def text(self, x: float, y: float, text: str, style: str, anchor: str = "start") -> None:
        self._shapes.append(
            f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" class="{style}">'
            f"{escape(text)}</text>"
        )

    def svg(self) -> str:
        width, height = self._size
        return "\n".join(
            (
                (
                    f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
                    f'width="{width}" height="{height}" role="img">'
                ),
                f"<title>{escape(self._title)}</title>",
                f"<style>{_style()}</style>",
                f'<rect width="{width}" height="{height}" class="paper"/>',
                *self._shapes,
                "</svg>\n",
            )
        )

    def _add(self, shape: str, style: str) -> None:
        self._shapes.append(f'{shape} class="{style}"/>')


def _style() -> str:
    """The paper is opaque, because a page may be dark where the reader's system is light."""
    return (
        "text{font:13px system-ui,-apple-system,'Segoe UI',sans-serif}"
        ".title{font-weight:600;font-size:15px}.own{font-weight:600}"
        ".series,.span,.whisker{fill:none;stroke-width:2}.whisker,.span{stroke-width:1.5}"
        ".grid{stroke-width:1}.reference{stroke-width:1.5;stroke-dasharray:5 4;fill:none}"
        ".hollow{stroke-width:2}"
        + _colours(0)
        + "@media (prefers-color-scheme:dark){"
        + _colours(1)
        + "}"
    )


def _colours(mode: int) -> str:
    paper, ink, faint, grid, plain = (
        pair[mode] for pair in (_PAPER, _INK, _FAINT_INK, _GRID, _PLAIN)
    )
    rules = [
        f".paper{{fill:{paper}}}.title,.label,.own{{fill:{ink}}}.faint{{fill:{faint}}}",
        f".grid{{stroke:{grid}}}.reference,.whisker{{stroke:{ink}}}",
        f".plain{{fill:{plain}}}.span.plain{{stroke:{plain};fill:none}}",
        f".hollow{{fill:{paper}}}.hollow.plain{{stroke:{plain};fill:{paper}}}",
    ]
    for slot, pair in enumerate(SERIES):
        colour = pair[mode]
        rules.append(
            f".s{slot}{{fill:{colour}}}.series.s{slot},.span.s{slot}{{stroke:{colour};fill:none}}"
            f".hollow.s{slot}{{stroke:{colour};fill:{paper}}}"
        )
    return "".join(rules)
