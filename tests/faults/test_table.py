"""Every row of the fault table (`shared/ecosystem.md` §6.4) that is met so far has its check."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

HERE = Path(__file__).parent
LATER = {"32"}  # the studio
ROWS = {*map(str, range(1, 33)), "18b"} - LATER
# Their mutants must run in the process that is killed, so `@fault` does not fit: the check is
# parametrised with the guard and without it.
IN_THE_KILLED_PROCESS = {"1": "test_kills.py", "4": "test_kills.py", "26": "test_surroundings.py"}


def rows() -> Iterator[str]:
    """The row of each check made with `@fault`."""
    for path in HERE.parent.rglob("test_*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", None) == "fault":
                assert isinstance(node.args[0], ast.Constant), f"{path}: write the row out"
                yield node.args[0].value


def test_every_row_has_a_check_and_a_mutant():
    assert set(rows()) | set(IN_THE_KILLED_PROCESS) == ROWS


@pytest.mark.parametrize(("row", "file"), IN_THE_KILLED_PROCESS.items())
def test_check_in_the_killed_process_says_its_row(row: str, file: str):
    assert f"Row {row}, and the same without its guard" in (HERE / file).read_text("utf-8")
