"""`manage.py work` in a program that declares the tests' jobs."""

import sys


def main() -> None:
    import django
    from django.core.management import call_command

    django.setup()
    import tests.jobs.declared  # noqa: F401 - declares them

    call_command("work", *sys.argv[1:])


if __name__ == "__main__":
    main()
