"""Names of licences as the SPDX list writes them, through the library `license-expression`.

https://spdx.github.io/spdx-spec/v3.0.1/annexes/spdx-license-expressions
"""

from functools import cache
from typing import Any


class ChoiceLeftOpen(ValueError):
    """An expression with `OR`; `first` is what stands first in it."""

    def __init__(self, first: str) -> None:
        self.first = first
        super().__init__(first)


def identifier(name: str) -> str | None:
    """`name` as the SPDX list writes it; None where it is not on the list.

    Args:
        name: An identifier in any case.
    """
    found = _licensing().validate(name.strip())
    return None if found.errors else found.normalized_expression


def parts(expression: str) -> tuple[str, ...]:
    """The names that an expression joins with `AND`; a name that is no expression stays whole.

    Raises:
        ChoiceLeftOpen: The expression has an `OR`.
    """
    from license_expression import ExpressionError, ExpressionParseError

    licensing = _licensing()
    try:
        parsed = licensing.parse(expression.strip())
    except (ExpressionError, ExpressionParseError):
        return (expression,)
    if isinstance(parsed, licensing.AND) and licensing.OR not in map(type, parsed.args):
        return tuple(arg.render() for arg in parsed.args)
    if parsed is None or not isinstance(parsed, licensing.AND | licensing.OR):
        return (expression,)
    raise ChoiceLeftOpen(licensing.license_keys(parsed)[0])


@cache
def _licensing() -> Any:
    """The list of the library, read once (0.1 s)."""
    from license_expression import get_spdx_licensing

    return get_spdx_licensing()
