"""What a node knows by itself while the database is away: told to its readers, kept for the rules.

Belongs to the monitor's loop, but for `outage`, which is replaced as a whole and may be read by any
thread: pages of this process show it without a database.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from realtime.components import Finding, State
from status.alerts.ahead import Ahead
from status.alerts.rounds import Round, round_of
from status.exchange import ALIVE_S
from status.telling import Teller
from status.view import View

if TYPE_CHECKING:
    from status.models import AlertRule

DATABASE = "database"
ROUND_EVERY_S = 1.0


@dataclass(frozen=True, slots=True)
class Outage:
    """The database has not answered this node since then; `parts` as it sees them by itself."""

    since: datetime
    parts: Mapping[str, State]


class Alone:
    """`rules` are those that were read last."""

    def __init__(self, teller: Teller | None) -> None:
        self.outage: Outage | None = None
        self.rules: Sequence[AlertRule] = ()
        self._teller = teller
        self._ahead = Ahead(())
        self._round_at_s = 0.0
        self._ended_at_s: float | None = None

    def begin(self, now: datetime) -> None:
        """The database did not answer, or goes on not to."""
        if self.outage is None:
            self.outage = Outage(now, {})
            self._ahead = Ahead(self.rules)
            self._round_at_s = 0.0

    def end(self) -> None:
        """It answers; nothing where it did all the time."""
        if self.outage is not None:
            self.outage, self._ended_at_s = None, time.monotonic()

    @property
    def newly_over(self) -> bool:
        """Whether it was away until a moment ago: processes have yet to say that they live."""
        return self._ended_at_s is not None and time.monotonic() - self._ended_at_s < ALIVE_S

    @property
    def due(self) -> bool:
        """Whether it is time for another look at what this node sees."""
        told_by = self.outage is not None and self._teller is not None
        return told_by and time.monotonic() >= self._round_at_s

    @property
    def finding(self) -> Finding:
        """Of the database."""
        since = "" if self.outage is None else f" since {self.outage.since:%H:%M:%S} UTC"
        return Finding(State.DOWN, f"no answer{since}")

    def tell(self, view: View, at: datetime) -> Round | None:
        """Tell this node's readers; the round for the rules. None where there is no outage."""
        if self.outage is None or self._teller is None:
            return None
        self._round_at_s = time.monotonic() + ROUND_EVERY_S
        self.outage = Outage(self.outage.since, view.parts)
        self._teller.alone(view.health)
        round_ = round_of(view, at, whole=False)
        for told in self._ahead.take(round_):
            self._teller.ahead(told)
        return round_
