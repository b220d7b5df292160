"""`python -m bench.site PEOPLE ROOMS,...`: accounts and projects for ours, as one line of JSON.

Person `n` is a member of room `n % R` for each R of ROOMS; the rooms of a smaller R are the first
ones of a greater. The owner of all of them writes. Runs as a process of its own, in the
installation's environment.
"""

import json
import secrets
import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # models can be imported when Django is set up
    from chat.models import User


def make_site(people: int, room_counts: list[int]) -> dict[str, Any]:
    """`rooms`: ids of the projects; `keys`: one per person; `owner`: the writer's key."""
    from chat.actions import projects
    from chat.models import User
    from realtime.models import ApiKey
    from realtime.models.api_key import key_digest

    owner = User.objects.create(username="bench-owner", password="!")
    rooms = [
        projects.create_project(owner, name=f"Room {number}").pk
        for number in range(max(room_counts))
    ]
    users = _add_people(people)
    _add_members(
        (rooms[room], user)
        for number, user in enumerate(users)
        for room in sorted({number % count for count in room_counts})
    )
    keys = [f"pm_{secrets.token_urlsafe(32)}" for _ in range(people + 1)]
    ApiKey.objects.bulk_create(
        ApiKey(user=user, name="bench", prefix=text[:9], digest=key_digest(text))
        for user, text in zip([*users, owner], keys, strict=True)
    )
    return {"rooms": rooms, "keys": keys[:-1], "owner": keys[-1]}


def _add_people(count: int) -> Sequence["User"]:
    """Accounts and their streams, plainly: one by one they would take 10 s. No password is hashed,
    which would take half an hour."""
    from django.db import models

    from chat.models import User
    from realtime.models import Stream
    from realtime.protocol.streams import user_stream

    plain: models.QuerySet[User] = models.QuerySet(User)
    users = plain.bulk_create(
        User(username=f"bench-{number}", password="!") for number in range(count)
    )
    Stream.objects.bulk_create(Stream(name=user_stream(user.pk)) for user in users)
    return users


def _add_members(members: Iterator[tuple[int, "User"]]) -> None:
    """Of projects, by id. Without events, so that the rooms' logs are empty when a measurement
    begins, and past Django, which would ask for the head of the room's stream for each."""
    from django.db import connection, transaction
    from django.utils import timezone

    from chat.models import Membership
    from realtime.models import Stream
    from realtime.protocol.streams import project_stream

    heads = dict(Stream.objects.values_list("name", "head"))
    now = connection.ops.adapt_datetimefield_value(timezone.now())
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.executemany(
            f"INSERT INTO {Membership._meta.db_table} "  # noqa: SLF001
            "(project_id, user_id, role, joined_at, joined_seq) VALUES (%s, %s, %s, %s, %s)",
            [
                (project_id, user.pk, "member", now, heads[project_stream(project_id)])
                for project_id, user in members
            ],
        )


def main() -> None:
    import django
    from django.core.management import call_command

    django.setup()
    call_command("migrate", verbosity=0, interactive=False)
    people, room_counts = int(sys.argv[1]), [int(text) for text in sys.argv[2].split(",")]
    print(json.dumps(make_site(people, room_counts)))


if __name__ == "__main__":
    main()
