"""A process that dies between the commit and the sending: `python -m tests.promises.dying ...`.

Stores a message as the command would, and ends without a flush as soon as it would be announced.
"""

import os
import sys
from typing import Any, NoReturn


def die(*arguments: Any) -> NoReturn:
    """In place of `publisher.announce`: the commit is done, nobody has been told."""
    os._exit(9)


def main(project: str, author: str, body: str) -> None:
    """Ends with status 9; anything else means that the message was not stored."""
    import django

    django.setup()
    from chat.actions.messages import send_message
    from chat.models import User
    from realtime import publisher

    publisher.announce = die  # type: ignore[assignment]
    send_message(User.objects.get(pk=author), int(project), body=body)


if __name__ == "__main__":
    main(*sys.argv[1:])
