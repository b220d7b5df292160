"""The JavaScript client: its unit tests in Node, and one run over real sockets."""

import asyncio
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.typing import Subprotocol

from tests.client.node import TIMEOUT_S, needs_node, node_command, run_unit_tests

HERE = Path(__file__).parent

pytestmark = needs_node


def test_unit_tests_in_node() -> None:
    """Every `*.test.mjs` passes."""
    run_unit_tests(HERE.glob("*.test.mjs"))


def test_package_can_be_imported_by_its_name() -> None:
    """What `npm install` of the folder gives: the exports lead to a module and its types."""
    folder = HERE.parent.parent / "realtime/static/realtime"
    package = json.loads((folder / "package.json").read_text())
    entry = package["exports"]["."]
    assert package["name"] == "@pm/realtime-client"
    assert (folder / entry["default"]).is_file()
    assert (folder / entry["types"]).is_file()
    # A package may import itself by name: the same resolution as for one that installed it.
    script = (
        'import { RealtimeClient } from "@pm/realtime-client"; console.log(RealtimeClient.name)'
    )
    done = subprocess.run(
        node_command("--input-type=module", "--eval", script),
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert done.stdout.strip() == "RealtimeClient", done.stderr


class DyingServer:
    """A documented fake of the protocol on a real socket, with one stream whose head is 3.

    The first socket gets event 4 and is cut without a close frame as soon as
    the message arrives, before its reply. The second resumes and answers.
    """

    def __init__(self) -> None:
        self.connections = 0
        self.refs: list[str] = []
        self.positions: list[dict[str, Any] | None] = []

    async def __call__(self, socket: ServerConnection) -> None:
        """Serve one socket."""
        self.connections += 1
        user = {"id": 7, "name": "Ada"}
        await self.send(
            socket, type="authentication_success", data={"user": user, "heartbeat_s": 25}
        )
        async for text in socket:
            command = json.loads(text)
            if command["cmd"] == "subscribe":
                await self.subscribe(socket, command)
            elif command["cmd"] == "send_message":
                self.refs.append(command["client_ref"])
                if self.connections == 1:
                    socket.transport.abort()
                    return
                await self.send(socket, reply=command["id"], ok=True, data={"seq": 5})
            else:
                await self.send(socket, reply=command["id"], ok=True, data={})

    async def subscribe(self, socket: ServerConnection, command: dict[str, Any]) -> None:
        """Answer with the snapshot at 3, or with what follows the position, up to 6."""
        since = command.get("since")
        self.positions.append(since)
        data = {"stream": "project.1", "epoch": "e1", "head": 6 if since else 3}
        data |= {"recovered": True} if since else {"snapshot": "snapshot"}
        await self.send(socket, reply=command["id"], ok=True, data=data)
        for seq in range(since["seq"] + 1, 7) if since else (4,):
            await self.send(socket, type="new_message", stream="project.1", seq=seq, data={})

    @staticmethod
    async def send(socket: ServerConnection, **frame: object) -> None:
        """Send one frame."""
        await socket.send(json.dumps(frame))


def test_real_sockets_resume_and_post_once() -> None:
    """A server that dies under a message: the events go on without a gap, the message is one."""
    flag = "--experimental-websocket"
    probe = subprocess.run(
        node_command(flag, "--eval", "process.exit(typeof WebSocket === 'function' ? 0 : 1)"),
        capture_output=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    if probe.returncode != 0:
        pytest.skip("this node has no WebSocket: expected version 20.10 or later")
    server = DyingServer()

    async def run() -> tuple[str, str]:
        async with serve(server, "127.0.0.1", 0, subprotocols=[Subprotocol("pm.v1")]) as listening:
            port = listening.sockets[0].getsockname()[1]
            script = str(HERE / "real_socket.mjs")
            process = await asyncio.create_subprocess_exec(
                *node_command("--no-warnings", flag, script, f"ws://127.0.0.1:{port}/ws"),
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
            )
            try:
                out, err = await asyncio.wait_for(process.communicate(), TIMEOUT_S)
            finally:
                if process.returncode is None:
                    process.kill()
            return out.decode(), err.decode()

    out, err = asyncio.run(run())
    assert out, err
    result = json.loads(out)
    assert result["got"] == ["snapshot", 4, 5, 6]
    assert result["posted"] == {"seq": 5}
    assert result["states"] == [
        *("connecting", "online", "waiting"),
        *("connecting", "online", "closed"),
    ]
    assert len(server.refs) == 2
    assert len(set(server.refs)) == 1
    assert server.positions == [None, {"epoch": "e1", "seq": 4}]
