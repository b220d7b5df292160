"""Hints between two servers: what one commits is at the readers of the other within moments."""

import httpx

from tests.nodes.room import Room
from tests.promises.conftest import Cluster, Follow

MESSAGES = 20
HINTED_S = 0.4  # sooner than any reading of heads would find it
SOON = 0.9  # of the messages; the others a busy machine may have


def test_commit_of_one_server_reaches_the_other_by_hint(
    cluster: Cluster, room: Room, follow: Follow
) -> None:
    """Both ways, one message at a time; own hints come back from Redis and are not told twice."""
    followers = [follow(server).settle() for server in cluster.servers[:2]]
    head = room.head
    with httpx.Client(headers={"Authorization": room.authorization}, timeout=10) as client:
        for number in range(2 * MESSAGES):
            server = cluster.servers[number % 2]
            address = f"{server.http}/api/projects/{room.project}/messages/"
            client.post(address, json={"body": "m"}).raise_for_status()
            head += 1
            for follower in followers:
                follower.wait_for(head, 10)
    here, there = (follower.times for follower in followers)
    apart = [abs(a - b) for a, b in zip(here, there, strict=True)]
    assert len(apart) == 2 * MESSAGES
    assert sum(one < HINTED_S for one in apart) >= SOON * len(apart), apart
