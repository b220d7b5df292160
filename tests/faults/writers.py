"""People and programs that write, each write with a `client_ref`, until it is acknowledged."""

import asyncio
import random
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.faults.clients import Client
from tests.faults.harness import World
from tests.faults.record import Write

# Between two writes of one writer; four by REST and six by socket make about 12 a second.
PAUSE_S = (0.3, 1.5)
REQUEST_TIMEOUT_S = 12.0
AGAIN_SHARE = 0.1  # of acknowledged writes, sent once more on purpose
EDIT_SHARE, DELETE_SHARE = 0.1, 0.05
ASK_SHARE = 0.15  # of the writes, that ask the AI
# Long, and always the same: what answers it is those who asked before, which takes most of a second
# to say. So workers are met by faults while they speak.
QUESTION = (
    "@ai when is the new harbour opened for the ferries, who has ordered the lanterns of the "
    "northern pier, which of the captains were told of the tides, and what was decided about the "
    "bell that is rung in fog when a ship is late and nobody on the lighthouse can see its lamps?"
)


def _body(write: Write, text: str) -> str:
    return QUESTION if write.asks else text


@dataclass
class Ledger:
    """Every write there was; `closing` ends the making of new ones."""

    writes: list[Write] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    misbehaviour: list[str] = field(default_factory=list)
    took_s: list[float] = field(default_factory=list)
    closing: asyncio.Event = field(default_factory=asyncio.Event)

    def new(self, stream: str, author: int, ref: str) -> Write:
        write = Write(stream, author, ref, asks=random.random() < ASK_SHARE)
        self.writes.append(write)
        self.counts["questions"] += write.asks
        return write

    async def pause(self) -> bool:
        """Rest between two writes; False when there is to be no more."""
        try:
            async with asyncio.timeout(random.uniform(*PAUSE_S)):
                await self.closing.wait()
        except TimeoutError:
            return True
        return False


async def write_by_socket(client: Client, ledger: Ledger) -> None:
    """Messages of a client's own, one after another."""
    number = 0
    while await ledger.pause():
        number += 1
        stream = random.choice([name for name in client.stretches if name != "system"])
        ref = f"{client.name}-{number}"
        write = ledger.new(stream, client.person["id"], ref)
        ledger.counts["by socket"] += 1
        body = _body(write, f"socket {ref}")
        await client.send_message(write, body)
        if random.random() < AGAIN_SHARE:
            again = Write(stream, write.author, ref)
            await client.send_message(again, body)
            assert again.message is not None
            assert again.seq is not None
            write.acknowledge(again.message, again.seq)
            ledger.counts["sent again"] += 1


class RestWriter:
    """A program: any node, another one after each failure."""

    def __init__(self, name: str, world: World, person: dict[str, Any], ledger: Ledger) -> None:
        self._name = name
        self._world = world
        self._person = person
        self._ledger = ledger
        self._turn = 0

    async def run(self) -> None:
        """Until the ledger closes and everything is acknowledged."""
        number = 0
        headers = {"Authorization": f"Api-Key {self._person['key']}"}
        async with httpx.AsyncClient(headers=headers, timeout=REQUEST_TIMEOUT_S) as http:
            while await self._ledger.pause():
                number += 1
                await self._message(http, f"{self._name}-{number}")

    async def _message(self, http: httpx.AsyncClient, ref: str) -> None:
        project = random.choice(self._world.projects)
        write = self._ledger.new(f"project.{project}", self._person["id"], ref)
        self._ledger.counts["by REST"] += 1
        path = f"/api/projects/{project}/messages/"
        body = _body(write, f"REST {ref}")
        for _ in range(2 if random.random() < AGAIN_SHARE else 1):
            said = await self._until_answered(http, "POST", path, write, body=body)
            write.acknowledge(said["message"]["id"], said["seq"])
        dice, address = random.random(), f"{path}{write.message}/"
        if dice < DELETE_SHARE:
            self._ledger.counts["deleted"] += 1
            await self._until_answered(http, "DELETE", address, None)
        elif dice < DELETE_SHARE + EDIT_SHARE:
            self._ledger.counts["edited"] += 1
            await self._until_answered(http, "PATCH", address, None, body=f"edited {ref}")

    async def _until_answered(
        self, http: httpx.AsyncClient, method: str, path: str, write: Write | None, **fields: Any
    ) -> dict[str, Any]:
        if write is not None:
            fields["client_ref"] = write.ref
        while True:
            self._turn += 1
            node = self._world.nodes[self._turn % len(self._world.nodes)]
            began = time.monotonic()
            if write is not None:
                write.attempts += 1
            try:
                answer = await http.request(method, node.http + path, json=fields or None)
            except httpx.HTTPError as error:
                self._ledger.counts[f"REST {type(error).__name__}"] += 1
            else:
                if answer.is_success:
                    self._ledger.took_s.append(time.monotonic() - began)
                    said: dict[str, Any] = answer.json()
                    return said
                self._ledger.counts[f"REST {answer.status_code}"] += 1
                if answer.status_code not in {429, 503}:
                    self._ledger.misbehaviour.append(
                        f"{method} {path}: {answer.status_code} {answer.text[:300]}"
                    )
            await asyncio.sleep(random.uniform(0.05, 0.5))
