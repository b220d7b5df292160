"""The directions of imports: pm_project > (chat | status) > realtime > realtime.protocol."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
# What each package may import of the project; anything else of it is a wrong direction.
ALLOWED = {
    "realtime/protocol": {"realtime.protocol"},
    "realtime": {"realtime"},
    "chat": {"chat", "realtime"},
    "status": {"status", "realtime"},
    "pm_project": {"pm_project", "chat", "status", "realtime"},
}
PROJECT = {"realtime", "chat", "status", "pm_project", "tests", "bench"}
PURE = {"django", "channels", "redis", "uvicorn", "asyncio", "socket", "threading"}


def imported_names(source: str) -> Iterator[str]:
    """Every absolute module name that the source imports, inside functions too."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield f"{'.' * node.level}{node.module or ''}"


def package_of(path: Path) -> str:
    relative = path.relative_to(ROOT).as_posix()
    return max((name for name in ALLOWED if relative.startswith(f"{name}/")), key=len)


def sources() -> list[Path]:
    tops = {name.split("/")[0] for name in ALLOWED}
    return sorted(path for top in tops for path in (ROOT / top).rglob("*.py"))


def wrong_imports(source: str, package: str) -> list[str]:
    allowed = ALLOWED[package]
    wrong = []
    for name in imported_names(source):
        top = name.split(".")[0]
        if name.startswith("."):
            wrong.append(f"{name} (relative)")
        elif top in PROJECT and not any(name == a or name.startswith(f"{a}.") for a in allowed):
            wrong.append(name)
        elif package == "realtime/protocol" and top in PURE:
            wrong.append(f"{name} (not pure)")
    return wrong


@pytest.mark.parametrize("path", sources(), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_imports_point_in_the_designed_direction(path: Path) -> None:
    """No module reaches up, sideways, or by a relative name."""
    assert wrong_imports(path.read_text(), package_of(path)) == []


def test_a_wrong_direction_is_found() -> None:
    """The rule itself can fail: it sees imports inside functions and of submodules."""
    source = "def f():\n    from chat.models import Message\n"
    assert wrong_imports(source, "realtime") == ["chat.models"]
    assert wrong_imports("import django.db", "realtime/protocol") == ["django.db (not pure)"]
    assert wrong_imports("import realtime.log", "chat") == []
