"""JSON text of frames. Events are encoded once, here, at the writer; nodes pass the bytes on."""

from datetime import datetime
from typing import Any, NamedTuple

from pydantic_core import from_json, to_json

from realtime.protocol.catalogue import EventType
from realtime.protocol.errors import BadRequest, RealtimeError
from realtime.protocol.payloads.shape import wire_time
from realtime.protocol.validation import json_kind

MAX_FRAME_BYTES = 131_072  # refused at the writer above this
MAX_HINT_FRAME_BYTES = 32_768  # above this a hint carries the position only


class EventText(NamedTuple):
    """An event's frame on both sides of its seq: encoded once, before the seq is known."""

    opening: bytes
    rest: bytes

    def at(self, seq: int) -> bytes:
        """The frame in its final form."""
        return b"%b%d%b" % (self.opening, seq, self.rest)


def event_text(name: str, stream: str, event_id: str, moment: datetime, data: bytes) -> EventText:
    """`data` is JSON text already; the other values hold nothing that JSON would escape."""
    opening = f'{{"type":"{name}","stream":"{stream}","seq":'
    rest = f',"id":"{event_id}","ts":"{wire_time(moment)}","data":'
    return EventText(opening.encode(), b"%b%b}" % (rest.encode(), data))


def signal_frame(name: str, stream: str | None, moment: datetime, data: dict[str, Any]) -> bytes:
    """A signal or a control frame: no seq and no id."""
    frame: dict[str, Any] = {"type": name}
    if stream is not None:
        frame["stream"] = stream
    frame["ts"] = wire_time(moment)
    frame["data"] = data
    return to_json(frame)


def signal_start(name: str) -> bytes:
    """How the frame of a stream's signal begins: tells its type without decoding it."""
    return to_json({"type": name, "stream": ""})[:-2]


def reset_frame(stream: str, reason: str) -> bytes:
    """Tells one socket that its subscription has ended and its state must be replaced."""
    return to_json({"type": "stream_reset", "stream": stream, "reason": reason})


def heartbeat_frame(
    moment: datetime, heads: dict[str, int], presence: dict[str, Any] | None = None
) -> bytes:
    """`presence` holds `{nonce, counter}` by stream; the field is absent where there is none."""
    frame: dict[str, Any] = {"type": "heartbeat", "ts": wire_time(moment), "heads": heads}
    if presence:
        frame["presence"] = presence
    return to_json(frame)


def reply_frame(command_id: int, data: dict[str, Any]) -> bytes:
    return to_json({"reply": command_id, "ok": True, "data": data})


def reply_frame_of(command_id: int, data: bytes) -> bytes:
    """As `reply_frame`, for data that is JSON text already: stored frames are not decoded."""
    return b'{"reply":%d,"ok":true,"data":%b}' % (command_id, data)


def error_frame(command_id: int | None, error: RealtimeError) -> bytes:
    return to_json({"reply": command_id, "ok": False, "error": error.as_wire()})


def blanked(frame: bytes, declared: EventType) -> bytes:
    """The stored frame without the text of its subject; everything else stays as it was."""
    content = from_json(frame)
    for *parents, last in declared.text_paths:
        place = content["data"]
        for name in parents:
            place = place[name]
        place[last] = ""
        for mark in {"deleted", "expired"} & place.keys():
            place[mark] = True
    return to_json(content)


def parsed_object(text: str | bytes) -> dict[str, Any]:
    """One JSON object. Raises BadRequest: expected a JSON object, got ..."""
    try:
        value = from_json(text, allow_inf_nan=False)
    except ValueError as error:
        raise BadRequest(f"expected a JSON object, got invalid JSON: {error}") from error
    if not isinstance(value, dict):
        raise BadRequest(f"expected a JSON object, got {json_kind(value)}")
    return value
