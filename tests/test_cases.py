"""Every fault of `shared/cases.md` that this product must not have is checked, and seen failing."""

import ast
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cases import change

HERE = Path(__file__).parent
# Every case of the list.
WANTED = (
    *("C01", "C02", "C03", "C04", "C05", "C06", "C08", "C09", "C11", "C13", "C14", "C15", "C16"),
    *("C18", "C19", "C20", "C21", "C22", "C23", "C25", "C26", "C27", "C28", "C30", "C31", "C33"),
    *("C34", "C35", "C36", "C37", "C38", "C39", "C40", "C42", "C43", "C44", "C45", "C47", "C48"),
    *("C50", "C51", "C52", "C53", "C54", "C56", "C57", "C58", "C59", "C60", "C61", "C62", "C63"),
    *("C65", "C66", "C68", "C69", "C70", "C71", "C72", "C73", "C74", "C75", "C77", "C78", "C79"),
    *("C80", "C81", "C82"),
)


def checks() -> Iterator[tuple[str, str]]:
    """Each check made with `@case`: its number, and where it stands.

    `tests/cases.py` refuses a check without a mutant when the file is collected.
    """
    for path in sorted(HERE.rglob("test_*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", None) == "case":
                where = f"{path.relative_to(HERE)}:{node.lineno}"
                assert isinstance(node.args[0], ast.Constant), f"{where}: write the number out"
                yield node.args[0].value, where


def wanted(path: str, *, limit: int = 0) -> str:
    """What the mutants below replace."""
    return path[:limit]


HERE_MODULE = sys.modules[__name__]


@pytest.mark.parametrize(
    "mutant",
    [
        lambda: "no argument",
        lambda path: "no limit",
        lambda path, limit: "a limit must be given",
        lambda path, more, limit=0: "one more must be given",
        "not a function",
    ],
)
def test_mutant_that_does_not_fit_the_call_is_refused(mutant: object):
    with pytest.raises(TypeError):
        change(HERE_MODULE, "wanted", mutant)


@pytest.mark.parametrize("mutant", [lambda path, limit=0: "", lambda *_a, **_o: "", wanted, str])
def test_mutant_that_fits_the_call_is_taken(mutant: object):
    change(HERE_MODULE, "wanted", mutant)


def test_mutant_of_what_is_not_there_is_refused():
    with pytest.raises(AttributeError):
        change(HERE_MODULE, "no_such_name", None)


@pytest.fixture(scope="module")
def places() -> dict[str, list[str]]:
    """Where the checks of each case stand."""
    found = defaultdict(list)
    for number, where in checks():
        found[number].append(where)
    return found


@pytest.mark.parametrize("number", WANTED)
def test_case_has_a_check_with_a_mutant(number: str, places: dict[str, list[str]]):
    assert number in places, f"{number}: no check is made with @case"


def test_no_case_is_named_that_does_not_exist(places: dict[str, list[str]]):
    """A rule of our own is named by a word."""
    listed = {f"C{number:02}" for number in range(1, 83)}

    assert {number for number in places if number[1:].isdigit()} <= listed
