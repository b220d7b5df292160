"""The layer's own connections to Redis, against a real one that is killed, stopped and started."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest
import uvloop
from redis.asyncio import ConnectionPool
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import InvalidResponse, ResponseError

from realtime import publisher
from realtime.layer import listener as listener_module
from realtime.layer import sender as sender_module
from realtime.layer import wire
from realtime.layer.channel_layer import QuietChannelLayer
from realtime.layer.wire import Wire, packed, value_at
from realtime.publisher import HINT_EVENTS
from tests.faults.valkey import Valkey, running_valkey

SECRET = "s3cret"
Story = Callable[[QuietChannelLayer], Awaitable[None]]


@pytest.fixture(scope="module")
def valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Valkey]:
    with running_valkey(tmp_path_factory.mktemp("wire")) as found:
        yield found


@pytest.fixture(params=["asyncio", "uvloop"])
def play(
    request: pytest.FixtureRequest, valkey: Valkey, monkeypatch: pytest.MonkeyPatch
) -> Callable[[Story], None]:
    """Runs a story with a layer on the server, in either event loop; the layer is let go of."""
    monkeypatch.setattr(listener_module, "RETRY_S", 0.05)

    def run(story: Story, **options: Any) -> None:
        host = {"address": f"redis://127.0.0.1:{valkey.port}", "protocol": 2, **options}

        async def main() -> None:
            layer = QuietChannelLayer(hosts=[host], prefix="t")
            async with asyncio.timeout(20):
                await story(layer)
            await layer.flush()

        factory = uvloop.new_event_loop if request.param == "uvloop" else None
        with asyncio.Runner(loop_factory=factory) as runner:
            runner.run(main())

    return run


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.005)


async def member(layer: QuietChannelLayer, group: str = "g") -> str:
    channel: str = await layer.new_channel()
    await layer.group_add(group, channel)
    return channel


async def heard(layer: QuietChannelLayer, channel: str, group: str = "g") -> dict[str, Any]:
    """What comes of messages that are sent until one does: SUBSCRIBE takes a moment."""
    receiving = asyncio.ensure_future(layer.receive(channel))
    for number in range(1_000):
        with suppress(RedisConnectionError):  # it may not be back yet
            await layer.group_send(group, {"type": "t", "number": number})
        done, _ = await asyncio.wait({receiving}, timeout=0.02)
        if done:
            break
    return dict(await receiving)


VALUES: list[tuple[bytes, Any]] = [
    (b":12\r\n", 12),
    (b"+PONG\r\n", b"PONG"),
    (b"$3\r\na\r\n\r\n", b"a\r\n"),
    (b"$-1\r\n", None),
    (b"_\r\n", None),
    (b"*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$2\r\n\xc1x\r\n", [b"message", b"c", b"\xc1x"]),
    (b">3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n", [b"subscribe", b"c", 1]),
    (b"*2\r\n$4\r\npong\r\n$0\r\n\r\n", [b"pong", b""]),
]


def test_values_are_read_wherever_the_bytes_are_cut() -> None:
    """TCP brings them in any pieces; each value is told once, whole and in order."""
    stream = b"".join(data for data, _ in VALUES)
    for size in range(1, len(stream) + 1):
        told: list[Any] = []
        subject = Wire(told.append, lambda: pytest.fail("expected the wire to be kept"))
        subject._connection = object()
        for start in range(0, len(stream), size):
            subject.data_received(stream[start : start + size])
        assert told == [value for _, value in VALUES]


def test_errors_are_told_and_nonsense_is_refused() -> None:
    """An error of Redis' answers one command; what is no answer at all ends the connection."""
    error, _ = value_at(b"-NOPERM no\r\n", 0)
    assert isinstance(error, ResponseError)
    assert "NOPERM" in str(error)
    with pytest.raises(InvalidResponse):
        value_at(b"HTTP/1.1 400\r\n", 0)


def test_packed_commands_are_read_back() -> None:
    """With the same words, whatever bytes they hold."""
    words = [b"PUBLISH", "ä".encode(), b"\r\n$3\r\n"]
    assert value_at(packed(*words), 0) == (words, len(packed(*words)))


def test_groups_hear_what_is_sent_to_them(play: Callable[[Story], None]) -> None:
    """And nobody hears what is sent to others, or after they left."""

    async def story(layer: QuietChannelLayer) -> None:
        first, second = await member(layer), await member(layer, "h")
        assert (await heard(layer, first))["type"] == "t"
        assert (await heard(layer, second, "h"))["type"] == "t"
        await layer.send(second, {"type": "direct"})
        while (await layer.receive(second))["type"] != "direct":
            pass
        await layer.group_discard("g", first)
        await layer.group_send("g", {"type": "late"})
        inner = layer._get_layer()
        # Confirmed by Redis, in order, after whatever it had to say of the group.
        await heard(layer, second, "h")
        left = [layer.deserialize(data) for data in inner.channels[first]._queue]
        assert {"type": "late"} not in left

    play(story)


def test_own_hints_are_not_heard_and_those_of_other_processes_are(
    play: Callable[[Story], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Through a real Redis, both in one group: the first to come is the other's."""

    async def story(layer: QuietChannelLayer) -> None:
        channel = await member(layer)
        await heard(layer, channel)
        await layer.group_send("g", {"type": HINT_EVENTS, "whose": "own"})
        with monkeypatch.context() as elsewhere:
            elsewhere.setattr(publisher, "_origin", "f" * 32)
            data = layer.serialize({"type": HINT_EVENTS, "whose": "other's"})
        await layer._get_layer()._shards[0].publish("t__group__g", data)
        while (found := await layer.receive(channel))["type"] != HINT_EVENTS:
            pass
        assert found["whose"] == "other's"

    play(story)


@pytest.mark.parametrize("protocol", [2, 3])
def test_passwords_and_databases_are_taken_as_redis_py_does(
    play: Callable[..., None], valkey: Valkey, protocol: int
) -> None:
    """Its own connection shakes hands; a wrong password is told to whoever sends or subscribes."""
    assert valkey.ask(f"CONFIG SET requirepass {SECRET}") == "+OK"
    try:

        async def story(layer: QuietChannelLayer) -> None:
            assert (await heard(layer, await member(layer)))["type"] == "t"

        async def refused(layer: QuietChannelLayer) -> None:
            with pytest.raises(RedisConnectionError):
                await layer.group_send("g", {"type": "t"})
            with pytest.raises(RedisConnectionError):
                await layer.new_channel()

        play(story, password=SECRET, db=2, protocol=protocol)
        play(refused, password="other", protocol=protocol)
    finally:
        valkey.kill()
        valkey.start()


def test_killed_redis_is_found_again_with_all_subscriptions(
    play: Callable[[Story], None], valkey: Valkey
) -> None:
    """Meanwhile sending fails at once; nobody subscribes a second time."""

    async def story(layer: QuietChannelLayer) -> None:
        channels = {group: await member(layer, group) for group in ("g", "h")}
        for group, channel in channels.items():
            await heard(layer, channel, group)
        valkey.kill()
        shard = layer._get_layer()._shards[0]
        await until(lambda: shard._listener._wire is None and shard.sender._wire is None)
        with pytest.raises(RedisConnectionError):
            await layer.group_send("g", {"type": "t"})
        await asyncio.to_thread(valkey.start)
        for group, channel in channels.items():
            await heard(layer, channel, group)

    play(story)


def test_redis_that_hangs_is_given_up_in_time(
    play: Callable[[Story], None], valkey: Valkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Connected or just connecting; and it is tried anew afterwards."""
    monkeypatch.setattr(sender_module, "ANSWER_TIMEOUT_S", 0.2)
    monkeypatch.setattr(wire, "CONNECT_TIMEOUT_S", 0.2)

    async def story(layer: QuietChannelLayer) -> None:
        await layer.group_send("g", {"type": "t"})
        valkey.pause()
        try:
            for _ in ("connected", "connecting"):
                sending = [layer.group_send("g", {"type": "t"}) for _ in range(3)]
                faults = await asyncio.gather(*sending, return_exceptions=True)
                assert [type(fault) for fault in faults] == [TimeoutError] * 3
        finally:
            valkey.resume()
        await layer.group_send("g", {"type": "t"})

    play(story)


def test_listener_learns_that_nobody_is_there(
    play: Callable[..., None], valkey: Valkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Found with a firewall: whoever only reads waits for ever. A check without an answer by the
    next one ends the connection, and what was subscribed to is subscribed to again."""
    monkeypatch.setattr(wire, "CONNECT_TIMEOUT_S", 0.2)

    async def story(layer: QuietChannelLayer) -> None:
        channel = await member(layer)
        await heard(layer, channel)
        found = layer._get_layer()._shards[0]._listener
        first = found._wire
        await asyncio.sleep(0.5)
        assert found._wire is first, "expected answers to keep the connection"
        valkey.pause()
        try:
            await until(lambda: found._wire is None)
        finally:
            valkey.resume()
        await heard(layer, channel)

    play(story, health_check_interval=0.1)


def test_flushed_layer_holds_nothing_and_may_be_used_again(play: Callable[[Story], None]) -> None:
    """The relay's `rebuild`: what waits for an answer fails, what connects is let go of."""

    async def story(layer: QuietChannelLayer) -> None:
        shard = layer._get_layer()._shards[0]
        sending = asyncio.ensure_future(layer.group_send("g", {"type": "t"}))
        joining = asyncio.ensure_future(layer.new_channel())
        await asyncio.sleep(0)
        await layer.flush()
        faults = await asyncio.gather(sending, joining, return_exceptions=True)
        assert [type(fault) for fault in faults] == [RedisConnectionError] * 2
        assert shard._listener._wire is None
        assert shard.sender._wire is None
        await heard(layer, await member(layer))

    play(story)


def test_redis_py_has_what_is_taken_of_it(valkey: Valkey) -> None:
    """Private names of the pinned version, which `Wire` takes over a connection by."""

    async def story() -> None:
        address = f"redis://127.0.0.1:{valkey.port}"
        pool: Any = ConnectionPool.from_url(address, protocol=2)
        connection = pool.make_connection()
        await connection.connect()
        assert connection._reader is not None
        assert bytes(connection._reader._buffer) == b""
        assert connection._writer is not None
        assert not connection._writer.transport.is_closing()
        connection._close()
        assert connection._writer is None

    asyncio.run(story())
