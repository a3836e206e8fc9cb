"""No function over 60 lines, no file over 400 (STYLE.md 1), and a short median."""

import ast
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]
FOLDERS = ("foundry", "scripts", "tests")
FILES = sorted(path for folder in FOLDERS for path in (REPOSITORY / folder).rglob("*.py"))
MAX_FUNCTION_LINES = 60
MAX_FILE_LINES = 400
MAX_MEDIAN_LINES = 20  # in the code bases of STYLE.md §1 it lies between 8 and 20


def functions(source: str) -> Iterator[tuple[str, int]]:
    """Name and line count of each function; decorators and docstring count."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            first = min([node.lineno, *(d.lineno for d in node.decorator_list)])
            yield node.name, (node.end_lineno or first) - first + 1


def too_long(path: str, source: str) -> Iterator[str]:
    """What is over a limit, as a person reads it."""
    lines = len(source.splitlines())
    if lines > MAX_FILE_LINES:
        yield f"{path}: {lines} lines"
    for name, length in functions(source):
        if length > MAX_FUNCTION_LINES:
            yield f"{path}: {name} has {length} lines"


def test_nothing_is_too_long():
    found = [
        problem
        for path in FILES
        for problem in too_long(
            path.relative_to(REPOSITORY).as_posix(), path.read_text(encoding="utf-8")
        )
    ]

    assert found == []


def test_median_function_is_short(record_property):
    product = [path for path in FILES if path.is_relative_to(REPOSITORY / "foundry")]
    lengths = [n for path in product for _, n in functions(path.read_text(encoding="utf-8"))]

    middle = median(lengths)
    record_property("lines of the median function", middle)

    assert 0 < middle <= MAX_MEDIAN_LINES


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("x = 1\n" * 401, ["a.py: 401 lines"]),
        ("def f():\n" + "    x = 1\n" * 60, ["a.py: f has 61 lines"]),
        ("class A:\n  @d\n  async def g(self):\n" + "    x = 1\n" * 59, ["a.py: g has 61 lines"]),
        ("x = 1\n" * 340 + "def f():\n" + "    x = 1\n" * 59, []),
    ],
)
def test_limits_are_where_they_should_be(source: str, found: list[str]):
    assert list(too_long("a.py", source)) == found
