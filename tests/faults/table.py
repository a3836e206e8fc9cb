"""`@fault`: the check of a row of the fault table (`shared/ecosystem.md` §6.4), and its mutants."""

from collections.abc import Callable, Mapping
from typing import Any

from tests.cases import Patch, case


def fault(row: str, mutants: Mapping[str, Patch]) -> Callable[[Callable[..., None]], Any]:
    """Make a test of a row of the table, and of each of its mutants; see `tests/cases.py`."""
    return case(f"row {row}", mutants)


def ended(action: Callable[[], object]) -> BaseException | None:
    """What an action ended with, whatever it raised; None where it came to its end."""
    try:
        action()
    except BaseException as error:
        return error
    return None
