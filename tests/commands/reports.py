"""Problem reports as files, and the import of one in this process."""

import json
from collections.abc import Iterable
from io import StringIO
from pathlib import Path
from typing import Any

from django.core.management import call_command

from chat.models import Project

SAMPLE = Path(__file__).with_name("issues.jsonl")  # three real ones


def report(number: int, **changes: Any) -> dict[str, Any]:
    return {
        "id": f"some/where#{number}",
        "title": f"Problem {number}",
        "text": f"It fails in way {number}.",
        "repo": "some/where",
        **changes,
    }


def written(path: Path, lines: Iterable[Any]) -> Path:
    """A file of the reports; texts and bytes go in as they are."""
    with path.open("wb") as file:
        for line in lines:
            text = json.dumps(line) if isinstance(line, dict) else line
            file.write(text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass"))
            file.write(b"\n")
    return path


def run(path: Path, project: Project, *arguments: str) -> tuple[int, str, str]:
    """Exit status, standard output, and what is said on standard error."""
    output, errors = StringIO(), StringIO()
    arguments = ("--project", str(project.pk), *arguments)
    try:
        call_command("import_issues", str(path), *arguments, stdout=output, stderr=errors)
    except SystemExit as end:
        return int(str(end.code)), output.getvalue(), errors.getvalue()
    return 0, output.getvalue(), errors.getvalue()
