"""`python -m bench.site PEOPLE ROOMS,...`: accounts and projects for ours, as one line of JSON.

Person `n` is a member of room `n % R` for each R of ROOMS; the rooms of a smaller R are the first
ones of a greater. The owner of all of them writes. Runs as a process of its own, in the
installation's environment.
"""

import json
import secrets
import sys
from typing import Any


def make_site(people: int, room_counts: list[int]) -> dict[str, Any]:
    """`rooms`: ids of the projects; `keys`: one per person; `owner`: the writer's key."""
    from django.db import models

    from chat.actions import projects
    from chat.models import Membership, User
    from realtime.models import ApiKey
    from realtime.models.api_key import key_digest

    # No password is hashed: that would take half an hour for so many.
    owner = User.objects.create(username="bench-owner", password="!")
    rooms = [
        projects.create_project(owner, name=f"Room {number}").pk
        for number in range(max(room_counts))
    ]
    users = User.objects.bulk_create(
        User(username=f"bench-{number}", password="!") for number in range(people)
    )
    keys = [f"pm_{secrets.token_urlsafe(32)}" for _ in range(people + 1)]
    ApiKey.objects.bulk_create(
        ApiKey(user=user, name="bench", prefix=text[:9], digest=key_digest(text))
        for user, text in zip([*users, owner], keys, strict=True)
    )
    # Plainly, without an event for each: the rooms' logs are empty when a measurement begins.
    plain: models.QuerySet[Membership] = models.QuerySet(Membership)
    plain.bulk_create(
        Membership(project_id=rooms[room], user=user, role="member")
        for number, user in enumerate(users)
        for room in sorted({number % count for count in room_counts})
    )
    return {"rooms": rooms, "keys": keys[:-1], "owner": keys[-1]}


def main() -> None:
    import django
    from django.core.management import call_command

    django.setup()
    call_command("migrate", verbosity=0, interactive=False)
    people, room_counts = int(sys.argv[1]), [int(text) for text in sys.argv[2].split(",")]
    print(json.dumps(make_site(people, room_counts)))


if __name__ == "__main__":
    main()
