"""What is counted of the AI's runs, in the worker that carries them out.

Every process knows the names: whichever is asked tells what the workers have counted.
"""

from typing import TYPE_CHECKING

from realtime.metrics.kinds import LONG_BUCKETS_S, Counter, Histogram

if TYPE_CHECKING:
    from chat.actions.answering import Outcome

RUNS = Counter("ai_runs", "runs that were carried out to their end", "state")
TOKENS = Counter("ai_tokens", "tokens that the provider says it counted", "direction")
FIRST_PIECE_S = Histogram(
    "ai_first_piece_seconds", "from the start of a run to its first piece", LONG_BUCKETS_S
)
RUN_S = Histogram("ai_run_seconds", "from the start of a run to its end", LONG_BUCKETS_S)


def count_run(outcome: "Outcome", *, first_piece_s: float | None, whole_s: float) -> None:
    """A run has ended so; `first_piece_s` is None where it said nothing."""
    RUNS.add(outcome.state.value)
    RUN_S.observe(whole_s)
    if first_piece_s is not None:
        FIRST_PIECE_S.observe(max(0.0, first_piece_s))
    for direction, count in (("input", outcome.input_tokens), ("output", outcome.output_tokens)):
        if count:
            TOKENS.add(direction, amount=count)
