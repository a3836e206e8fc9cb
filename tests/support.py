"""Which plug-ins the matrix tests take together; `docs/support.md` says yes to these alone.

    @covers(lambda kind, base: [{"adapter": kind, "family": family(base)}])
    @pytest.mark.parametrize("kind", KINDS)
    @pytest.mark.parametrize("base", NAMES, indirect=True)
    def test_what_was_trained_is_what_is_read_back(base, kind): ...

`cells` reads the parametrisation that pytest itself runs, so that a plug-in which no test takes is
"untested" on the page, whatever the product says of it.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import product
from typing import Any

import pytest

Cell = Mapping[str, str]
"""Plug-ins that were taken together, by their points; under `refused` why, where they must be."""

REFUSED = "refused"
PARAM = type(pytest.param())


def covers(say: Callable[..., Sequence[Cell]]) -> Callable[[Any], Any]:
    """Say which plug-ins a case of a test takes together, from its parameters."""

    def decorate(test: Any) -> Any:
        test.covers = say
        return test

    return decorate


def cells(tests: Sequence[Any]) -> Iterator[Cell]:
    """Everything that the cases of some tests take together."""
    for test in tests:
        for case in _cases(test):
            yield from test.covers(**{name: case[name] for name in _asked(test)})


def _asked(test: Any) -> tuple[str, ...]:
    code = test.covers.__code__
    return tuple(code.co_varnames[: code.co_argcount])


def _cases(test: Any) -> Iterator[dict[str, Any]]:
    """The values of the parameters in each case, as `pytest.mark.parametrize` gives them."""
    marks = [mark for mark in _marks(test) if mark.name == "parametrize"]
    axes = [[_named(mark.args[0], value) for value in mark.args[1]] for mark in marks]
    for chosen in product(*axes):
        yield {name: value for named in chosen for name, value in named.items()}


def _marks(test: Any) -> list[Any]:
    return list(vars(test).get("pytestmark", []))


def _named(names: str | Sequence[str], value: Any) -> dict[str, Any]:
    words = [name.strip() for name in names.split(",")] if isinstance(names, str) else list(names)
    if isinstance(value, PARAM):
        return dict(zip(words, value.values, strict=True))
    return dict(zip(words, value if len(words) > 1 else [value], strict=True))
