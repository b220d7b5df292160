"""Markdown to HTML that a page may show as it is. Done once, at the writer."""

from functools import cache
from typing import Any

# Images would tell their host who has read it; headings of a notice must not be those of a page.
_TAGS = {
    "a", "blockquote", "br", "code", "del", "em", "h3", "h4", "h5", "h6", "hr", "li", "ol", "p",
    "pre", "strong", "ul",
}  # fmt: skip
_ATTRIBUTES = {"a": {"href", "title"}, "ol": {"start"}}
_SCHEMES = {"http", "https", "mailto"}


@cache
def _parser() -> Any:
    # Late, as `nh3` below: only who writes needs them.
    from markdown_it import MarkdownIt

    return MarkdownIt("commonmark", {"html": False}).enable("strikethrough")


def rendered(body: str) -> str:
    """HTML written in the text is shown as text; what the parser makes is cut down to an allow-list
    all the same, so that a fault of one of the two lets no script through."""
    import nh3

    html: str = nh3.clean(
        _parser().render(body),
        tags=_TAGS,
        attributes=_ATTRIBUTES,
        url_schemes=_SCHEMES,
        link_rel="noopener noreferrer nofollow",
    )
    return html.strip()
