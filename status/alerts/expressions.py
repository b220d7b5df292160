"""Arithmetic over measures: `redis.used_bytes / redis.max_bytes * 100`. Pure but for the registry.

Numbers, measures, + - * /, parentheses; nothing else of Python's grammar means anything here.
"""

import ast
import math
import operator
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from realtime.components import measure_of

MAX_CHARS = 300
MAX_PARTS = 100

_OPERATORS: dict[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}


class ExpressionError(ValueError):
    """The text is no expression, or it has no value for these numbers."""


class NoValue(Exception):
    """A measure of the expression has not been taken: nothing can be said."""


@dataclass(frozen=True, slots=True)
class Expression:
    """`measures` are the full names that it reads."""

    text: str
    measures: frozenset[str]
    _tree: ast.expr

    def value(self, values: Mapping[str, float]) -> float:
        """Raises NoValue, ExpressionError (a division by zero, or a result that is no number)."""
        try:
            found = _value(self._tree, values)
        except ZeroDivisionError:
            raise ExpressionError(
                f"expected a divisor other than 0 in {self.text!r}, got 0 with {self._with(values)}"
            ) from None
        except OverflowError:
            found = math.inf
        if not math.isfinite(found):
            raise ExpressionError(
                f"expected a number from {self.text!r}, got {found} with {self._with(values)}"
            )
        return found

    def _with(self, values: Mapping[str, float]) -> str:
        return ", ".join(f"{name} = {values[name]:g}" for name in sorted(self.measures))


def parsed(text: str) -> Expression:
    """Raises ExpressionError, which names what is not understood."""
    if len(text) > MAX_CHARS:
        raise ExpressionError(f"expected {MAX_CHARS} characters at most, got {len(text)}")
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise ExpressionError(f"expected arithmetic over measures, got {text[:60]!r}") from error
    parts = list(ast.walk(tree))
    if len(parts) > MAX_PARTS:
        raise ExpressionError(f"expected {MAX_PARTS} parts at most, got {len(parts)}")
    measures = frozenset(_checked(tree))
    if not measures:
        raise ExpressionError(f"expected a measure, such as jobs.dead, got none in {text[:60]!r}")
    return Expression(text, measures, tree)


def _checked(node: ast.expr) -> Iterator[str]:
    """The measures that it reads. Raises ExpressionError."""
    match node:
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATORS:
            yield from _checked(left)
            yield from _checked(right)
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            yield from _checked(operand)
        case ast.Constant(value=int() | float() as value) if not isinstance(value, bool):
            if not math.isfinite(value) or abs(value) > 1e18:  # noqa: PLR2004
                raise ExpressionError(f"expected a number up to 1e18, got {value:g}")
        case ast.Attribute(value=ast.Name(id=component), attr=measure):
            name = f"{component}.{measure}"
            if measure_of(name) is None:
                raise ExpressionError(f"expected a measure that is taken, got {name!r}")
            yield name
        case _:
            raise ExpressionError(
                f"expected numbers, measures, + - * / and (), got {ast.unparse(node)[:60]!r}"
            )


def _value(node: ast.expr, values: Mapping[str, float]) -> float:
    match node:
        case ast.BinOp(left=left, op=op, right=right):
            return _OPERATORS[type(op)](_value(left, values), _value(right, values))
        case ast.UnaryOp(operand=operand):
            return -_value(operand, values)
        case ast.Constant(value=value):
            return float(value)  # type: ignore[arg-type] # as `_checked` has found
        case ast.Attribute(value=ast.Name(id=component), attr=measure):
            found = values.get(f"{component}.{measure}")
            if found is None:
                raise NoValue(f"{component}.{measure}")
            return found
    raise ExpressionError(f"expected what was checked, got {type(node).__name__}")
