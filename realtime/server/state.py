"""What this process tells probes and load balancers about itself."""

from dataclasses import dataclass


@dataclass(slots=True)
class Readiness:
    """Whether new clients should be sent here; false from the first moment of a planned stop."""

    accepting: bool = True


readiness = Readiness()
