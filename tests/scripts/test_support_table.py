"""The page of what goes together is current, and says yes to nothing that no test takes."""

import itertools

import pytest

from foundry.core import plugins
from scripts import support_table
from scripts.support_table import NO, POINTS, UNTESTED, YES, page, state
from tests.support import Cell, cells, covers


def test_page_is_current():
    assert support_table.PAGE.read_text(encoding="utf-8") == page()


def test_new_plugin_without_a_test_is_untested():
    known = {point: plugins.names(point) for point in POINTS}
    names = {**known, "trainer": (*known["trainer"], "new")}

    lines = page(names).splitlines()

    head = next(n for n, line in enumerate(lines) if line.startswith("| family \\ trainer |"))
    row = next(line for line in lines[head:] if line.startswith("| llama |"))
    assert row.endswith(f" {YES} | {UNTESTED} |")


def test_every_pair_of_points_has_a_table():
    """A recipe is said to be supported where every pair says yes."""
    pairs = {frozenset(pair) for pair in support_table.TABLES}

    assert pairs == {frozenset(pair) for pair in itertools.combinations(POINTS, 2)}


@covers(lambda one, two: [{"family": one, "trainer": two}])
@pytest.mark.parametrize("two", ["x", pytest.param("y", marks=pytest.mark.slow)])
@pytest.mark.parametrize("one", ["a"])
def example(one: str, two: str) -> None:
    """Stands for a matrix test."""


FOUND: list[Cell] = [
    *cells([example]),
    {"family": "a", "trainer": "z", "refused": "why"},
    {"family": "llama", "exporter": "gguf"},
]


@pytest.mark.parametrize(
    ("pair", "said"),
    [(("a", "x"), YES), (("a", "y"), YES), (("a", "z"), NO), (("b", "x"), UNTESTED)],
)
def test_pair_is_what_a_test_saw_of_it(pair: tuple[str, str], said: str):
    assert state("family", "trainer", pair, FOUND) == said


@pytest.mark.parametrize(
    ("rows", "pair", "said"),
    [
        ("family", ("llama", "gguf"), YES),
        ("family", ("gpt-oss", "gguf"), NO),
        ("family", ("gpt-oss", "merged"), UNTESTED),
        ("adapter", ("full", "adapter"), NO),
        ("adapter", ("dora", "gguf-adapter"), NO),
        ("adapter", ("lora", "gguf-adapter"), UNTESTED),
        ("trainer", ("reward", "gguf"), NO),
        ("trainer", ("sft", "gguf"), UNTESTED),
    ],
)
def test_what_plugins_say_of_themselves_is_no(rows: str, pair: tuple[str, str], said: str):
    assert state(rows, "exporter", pair, FOUND) == said
