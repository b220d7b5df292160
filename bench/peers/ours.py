"""This project, as it is served: `manage.py serve`, API keys, each message a durable commit."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from bench.folder import ALONE
from bench.peers.peer import BODY, REF, Peer, Place, Script

ROOT = Path(__file__).resolve().parent.parent.parent
# Of the suite or of a developer's shell; they must not steer what is measured.
_NOT_INHERITED = ("DATABASE_URL", "DEBUG", "WEBSOCKET_HEARTBEAT_INTERVAL", "WEBSOCKET_PORT")


class Ours(Peer):
    """SQLite, DEBUG off, one person per socket; the writers are the owner of all projects."""

    name = "ours"
    title = "this project (durable, SQLite)"
    refusal = '"ok":false'

    def __init__(self) -> None:
        self.site: dict[str, Any] = {}

    def versions(self) -> Mapping[str, str]:
        packages = ("Django", "channels", "uvicorn", "uvloop", "websockets")
        return {"python": sys.version.split()[0], **{name: version(name) for name in packages}}

    def prepare(self, place: Place) -> None:
        counts = ",".join(str(count) for count in place.room_counts)
        made = subprocess.run(
            [sys.executable, "-m", "bench.site", str(place.sockets), counts],
            cwd=ROOT,
            env={**os.environ, **self.variables(place)},
            check=True,
            text=True,
            stdout=subprocess.PIPE,
        )
        self.site = json.loads(made.stdout)

    def command(self, place: Place) -> Sequence[str]:
        return [sys.executable, "manage.py", "serve", "--port", str(place.port)]

    def variables(self, place: Place) -> Mapping[str, str]:
        return {
            **dict.fromkeys(_NOT_INHERITED, ""),
            **ALONE,
            "DJANGO_SETTINGS_MODULE": "pm_project.settings",
            "DATA_DIR": str(place.folder),
            "DEBUG": "false",
            "SECRET_KEY": "the-bench-signs-no-session-that-matters",
            "ALLOWED_HOSTS": "127.0.0.1",
            "REDIS_URL": place.redis_url,
            "WEBSOCKET_MAX_CONNECTIONS": str(place.sockets + 100),
        }

    def stream(self, room: int) -> str:
        return f"project.{self.site['rooms'][room]}"

    def reader(self, number: int, room: int) -> Script:
        return self._script(self.site["keys"][number], self.stream(room))

    def resuming(self, number: int, room: int, since: Mapping[str, Any]) -> Script:
        """As `reader`, going on behind a position."""
        return self._script(self.site["keys"][number], self.stream(room), since=dict(since))

    def _script(self, key: str, stream: str, **fields: Any) -> Script:
        command = json.dumps({"id": 1, "cmd": "subscribe", "stream": stream, **fields})
        return Script(
            "/ws",
            (("authentication_success", command), ('"reply":1,"ok":true', "")),
            (f"Authorization: Api-Key {key}",),
        )

    def writer(self, number: int, room: int) -> Script:
        return Script(
            "/ws",
            (("authentication_success", ""),),
            (f"Authorization: Api-Key {self.site['owner']}",),
        )

    def message(self, room: int) -> str:
        return json.dumps(
            {
                "id": 1,
                "cmd": "send_message",
                "stream": self.stream(room),
                "body": BODY,
                "client_ref": REF,
            }
        )


PEER = Ours()
