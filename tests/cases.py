"""`@case`: a check for a fault of `shared/cases.md`, and the faults under which it must be red.

    @case("C44", {"the mark stays": change(rows, "BYTE_ORDER_MARK", "\\0")})
    def test_mark_is_no_part_of_the_first_column(tmp_path): ...

pytest runs the check as it is, which must pass, and once for each named mutant: the product's own
function is replaced and the check must fail. A check that stays green under a mutant fails as a
test, so none of them can pass on a product that does nothing.
"""

import functools
import inspect
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any

import pytest

from foundry.core.errors import FoundryError
from foundry.data.rows import RowError

Patch = Callable[[pytest.MonkeyPatch], None]
# What a broken product does to a check: another result, or another refusal. A mutant that does not
# fit the call it replaces (TypeError) proves nothing, so such an error is no red.
RED = (AssertionError, pytest.fail.Exception, FoundryError, RowError, ValueError)


def change(owner: ModuleType | type, name: str, value: Any) -> Patch:
    """The mutant in which `owner.name` is `value`.

    Raises:
        AttributeError: There is no such name.
        TypeError: A function is replaced by what cannot be called as it is; a product that turns
            that into a refusal of its own would be red for nothing.
    """
    original = getattr(owner, name)
    if callable(original):
        _check_fits(f"{owner.__name__}.{name}", original, value)
    return lambda patch: patch.setattr(owner, name, value)


def _check_fits(place: str, original: Callable[..., Any], value: Any) -> None:
    """With every argument that `original` takes, and with those alone that it must be given."""
    takes = inspect.signature(original).parameters.values()
    try:
        given = inspect.signature(value)
    except ValueError:  # a type of Python's own, such as `str`, does not tell
        return
    for chosen in (takes, [p for p in takes if p.default is p.empty]):
        positional = [p for p in chosen if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
        named = {p.name: None for p in chosen if p.kind is p.KEYWORD_ONLY}
        try:
            given.bind(*positional, **named)
        except TypeError as error:
            raise TypeError(f"the mutant of {place} does not fit its call: {error}") from error


def case(number: str, mutants: Mapping[str, Patch]) -> Callable[[Callable[..., None]], Any]:
    """Make a test of `number` ("C44") and of each of its mutants.

    Use it above pytest's own marks, so that it stands outermost. Put fixtures that must not see
    the mutant (files, models) in the arguments: they are made before it is applied.
    """
    if not mutants:
        raise ValueError(f"{number}: a check without a mutant may be one that cannot fail")

    def decorate(check: Callable[..., None]) -> Any:
        @functools.wraps(check)
        def run(*args: Any, mutant: str, request: pytest.FixtureRequest, **fixtures: Any) -> None:
            given = {name: fixtures[name] for name in inspect.signature(check).parameters}
            if mutant == "as it is":
                check(*args, **given)
                return
            with pytest.MonkeyPatch.context() as patch:
                mutants[mutant](patch)
                try:
                    check(*args, **given)
                except RED:
                    return
            pytest.fail(f"{number} is green under the mutant: {mutant}")

        parameters = list(inspect.signature(check).parameters.values())
        own = [inspect.Parameter(n, inspect.Parameter.KEYWORD_ONLY) for n in ("mutant", "request")]
        run.__signature__ = inspect.Signature([*parameters, *own])  # type: ignore[attr-defined]
        run.case, run.mutants = number, tuple(mutants)  # type: ignore[attr-defined]
        return pytest.mark.parametrize("mutant", ["as it is", *mutants])(run)

    return decorate
