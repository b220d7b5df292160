"""Stands in for a provider that cannot be made: every question is answered with the reason."""

from chat.ai.providers.protocol import Pieces, Question
from chat.ai.providers.statuses import not_set_up


class UnusableProvider:
    """`detail` is for operators, without a secret."""

    def __init__(self, name: str, detail: str) -> None:
        self.name = name
        self._error = not_set_up(detail)

    async def answer(self, question: Question) -> Pieces:
        del question
        yield self._error
