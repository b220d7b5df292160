"""`python -m realtime.management.tied PID COMMAND ...`: a management command that dies with PID.

From its first moment on: the command itself could only ask for it after a second of imports.
"""

import sys

from realtime.embedded.lifetime import die_with_parent


def main() -> None:
    parent, *command = sys.argv[1:]
    die_with_parent(int(parent))
    from django.core.management import execute_from_command_line

    execute_from_command_line(["manage.py", *command])


if __name__ == "__main__":
    main()
