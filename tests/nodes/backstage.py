"""A process beside the servers that changes rows through the models: `Backstage` talks to it.

It stands for everything that is not a socket: the admin, a shell, another node. What it commits
reaches the servers by the channel layer only. One JSON object a line, in and out.
"""

import json
import subprocess
import sys
import threading
import traceback
from types import TracebackType
from typing import Any, Self

from tests.nodes.installation import Installation

ANSWER_TIMEOUT_S = 30.0


class Backstage:
    """Call it with a name of `tests.nodes.deeds` and its arguments; it gives what that returns."""

    def __init__(self, installation: Installation) -> None:
        self._turn = threading.Lock()  # tests call from threads too
        self._process = subprocess.Popen(
            installation.command("-m", "tests.nodes.backstage"),
            **installation.process_options(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    def __call__(self, deed: str, **arguments: Any) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with self._turn:
            self._process.stdin.write(json.dumps([deed, arguments]) + "\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        assert line, "expected an answer from behind the stage, got its end"
        answer = json.loads(line)
        assert "error" not in answer, answer["error"]
        return answer["result"]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(ANSWER_TIMEOUT_S)


def main() -> None:
    """Migrate, then do what the lines of standard input say until it ends."""
    import django
    from django.core.management import call_command

    django.setup()
    call_command("migrate", verbosity=0, interactive=False)
    from django.db import close_old_connections

    from tests.nodes import deeds  # late: it imports models

    for line in sys.stdin:
        name, arguments = json.loads(line)
        try:
            answer = {"result": getattr(deeds, name)(**arguments)}
        except Exception:  # noqa: BLE001 - the other side raises it
            answer = {"error": traceback.format_exc()}
            close_old_connections()  # a database that was away has ended the connection
        print(json.dumps(answer), flush=True)  # noqa: T201 - the answer itself


if __name__ == "__main__":
    main()
