"""`manage.py serve` with one more component, whose state changes every half second.

Its text is the moment of the finding, so that a reader can say how old a change is.
"""

import itertools
import sys
import time

from realtime.components import (
    Component,
    Finding,
    Look,
    Measure,
    Scope,
    State,
    register_component,
)

NAME = "changes"


def probe(node: object) -> Look:
    states = itertools.cycle((State.DEGRADED, State.DOWN))

    async def look() -> Finding:
        return Finding(next(states), repr(time.time()))

    return look


def main() -> None:
    import django
    from django.core.management import call_command

    django.setup()
    register_component(
        Component(
            name=NAME,
            label="Changes",
            scope=Scope.SYSTEM,
            every_s=0.4,
            limit_s=1.0,
            meaning={State.DEGRADED: "half of the time", State.DOWN: "the other half"},
            measures=(Measure("nothing", "", "never taken"),),
            probe=probe,
        )
    )
    call_command("serve", "--port", "0", *sys.argv[1:])


if __name__ == "__main__":
    main()
