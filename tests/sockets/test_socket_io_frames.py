"""Frames in the form of Socket.IO packets."""

from datetime import UTC, datetime

import pytest
from pydantic_core import from_json

from realtime.protocol.frames import event_text, signal_frame
from realtime.protocol.socket_io import event_packet


def test_packet_carries_the_frame_as_it_stands() -> None:
    """As the one argument of an event with the frame's type for a name."""
    now = datetime.now(UTC)
    event = event_text("new_message", "project.1", "e1", now, b'{"body":"\\u00fc"}').at(7)
    for name, frame in {
        "new_message": event,
        "typing_stop": signal_frame("typing_stop", "project.1", now, {}),
    }.items():
        packet = event_packet(frame)
        assert packet[:2] == b"42"
        assert frame in packet
        assert from_json(packet[2:]) == [name, from_json(frame)]


def test_frame_without_a_type_is_refused() -> None:
    with pytest.raises(ValueError, match="expected a frame that begins with its type"):
        event_packet(b'{"reply":1,"ok":true,"data":{}}')
