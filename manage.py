#!/usr/bin/env python
"""Django's command line, which first reads the environment and says plainly what is wrong in it."""

import os
import sys

from pm_project.environment import EnvironmentInvalid, load_environment


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "pm_project.settings")
    try:
        load_environment()
    except EnvironmentInvalid as error:
        sys.exit(str(error))
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
