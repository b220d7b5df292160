"""No text may become more than text, links and marks."""

import pytest

from realtime.broadcasts.rendering import rendered


@pytest.mark.parametrize(
    "body",
    [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "[click](javascript:alert(1))",
        "[click](JaVaScRiPt:alert(1))",
        "[click](data:text/html;base64,PHNjcmlwdD4=)",
        "![pixel](https://tracker.example/x.png)",
        '<a href="https://example.org" onclick="alert(1)">x</a>',
        "<style>*{display:none}</style>",
        "<iframe src=https://example.org></iframe>",
        '[x](https://example.org "onmouseover=alert(1)")\n\n<svg/onload=alert(1)>',
    ],
)
def test_nothing_active_comes_through(body: str) -> None:
    """Tags that were written are shown as text; schemes that run something lose their link."""
    html = rendered(body)
    for tag in ("<script", "<img", "<style", "<iframe", "<svg"):
        assert tag not in html
    for scheme in ("javascript:", "data:"):
        assert f'href="{scheme}' not in html.lower()
    assert "<a" not in html or " onclick=" not in html.split("<a", 1)[1].split(">", 1)[0]


def test_marks_are_kept() -> None:
    """What Markdown is for."""
    html = rendered("# Big\n\n**now**, `code`\n\n- one\n- two\n\n[site](https://example.org)")
    assert "<strong>now</strong>" in html
    assert "<li>one</li>" in html
    assert 'href="https://example.org"' in html
    assert 'rel="noopener noreferrer nofollow"' in html
    assert "<h1" not in html
