"""A room: what a client says goes to the group, and from there to every member's consumer."""

from typing import Any

from channels.generic.websocket import AsyncJsonWebsocketConsumer


class Room(AsyncJsonWebsocketConsumer):  # type: ignore[misc]
    """The consumer of the tutorial's third part, in its JSON form."""

    async def connect(self) -> None:
        self.group = f"room.{self.scope['url_route']['kwargs']['room']}"
        await self.channel_layer.group_add(self.group, self.channel_name)
        await self.accept()

    async def disconnect(self, code: int) -> None:
        await self.channel_layer.group_discard(self.group, self.channel_name)

    async def receive_json(self, content: Any, **_: Any) -> None:
        event = {"type": "room.message", "body": content["body"]}
        await self.channel_layer.group_send(self.group, event)

    async def room_message(self, event: dict[str, Any]) -> None:
        await self.send_json({"body": event["body"]})
