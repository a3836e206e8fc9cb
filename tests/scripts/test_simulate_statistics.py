"""The statistics keep what they say where the truth is known, and the page says what was found."""

import re

import numpy as np
import pytest

from foundry.evals import bounded, proportions
from scripts.simulate_statistics import (
    COLUMNS,
    FALSE,
    GRADED_COLUMNS,
    GRADED_SHAPES,
    LEVEL,
    PAGE,
    POWER,
    SECTION,
    SHAPES,
    Shape,
    share_coverage,
    simulate,
    simulate_graded,
    slack,
)

RUNS = 200


@pytest.mark.parametrize(
    "shape", [Shape(40, 1, 0.0), Shape(60, 6, 0.5), Shape(100, 6, 0.2)], ids=str
)
def test_intervals_cover_tests_do_not_cry_wolf_and_power_is_there(shape):
    kept = simulate(shape, runs=RUNS, seed=7)

    least = LEVEL - slack(LEVEL, RUNS)
    assert min(*kept.share_coverage, kept.difference_coverage) >= least
    assert kept.false_positives <= FALSE + slack(FALSE, RUNS)
    assert kept.power >= POWER - slack(POWER, RUNS)


def test_a_variance_from_few_groups_would_cover_too_little(monkeypatch):
    runs, least = 600, LEVEL - slack(LEVEL, 600)

    def covered() -> float:
        return share_coverage(Shape(120, 6, 0.5), 0.95, runs, np.random.default_rng(7))

    assert covered() >= least
    monkeypatch.setattr(proportions, "IMAGINED_GROUPS", 1e-6)
    assert covered() < least


@pytest.mark.parametrize("shape", [(6, 6), (19, 1)], ids=str)
def test_intervals_of_scores_between_right_and_wrong_cover_where_groups_are_few(shape, monkeypatch):
    least = LEVEL - slack(LEVEL, RUNS)

    kept = simulate_graded(*shape, runs=RUNS, seed=7)

    assert min(*kept.share_coverage, kept.difference_coverage) >= least
    assert kept.false_positives <= FALSE + slack(FALSE, RUNS)
    monkeypatch.setattr(bounded, "IMAGINED_OF_A_SCORE", 0)
    assert min(simulate_graded(*shape, runs=RUNS, seed=7).share_coverage) < least


def figures(columns: tuple[str, ...], named: str = SECTION) -> tuple[int, list[dict[str, str]]]:
    """How many tests a figure is made of, and the rows of the page's table of these columns."""
    section = PAGE.read_text(encoding="utf-8").split(f"<!-- {named}: ")[1]
    runs = int(re.search(r"a share of ([\d,]+) tests", section)[1].replace(",", ""))
    table = next(part for part in section.split("\n\n") if part.startswith(f"| {columns[0]} | "))
    lines = [line.strip("| ").split(" | ") for line in table.splitlines() if line[:2] == "| "]
    return runs, [dict(zip(columns, cells, strict=True)) for cells in lines[2:]]


def share(cell: str) -> float:
    return float(cell.removesuffix(" %")) / 100


def test_page_holds_every_shape_and_keeps_the_bounds():
    runs, rows = figures(COLUMNS)

    assert len(rows) == len(SHAPES)
    for row in rows:
        covered = min(share(row[name]) for name in COLUMNS if name.startswith("coverage"))
        assert covered >= LEVEL - slack(LEVEL, runs)
        assert share(row["false positives"]) <= FALSE + slack(FALSE, runs)
        if row["power there"] != "–":
            assert share(row["power there"]) >= POWER - slack(POWER, runs)


def test_page_holds_scores_between_right_and_wrong_and_keeps_the_bounds():
    runs, rows = figures(GRADED_COLUMNS)

    assert len(rows) == len(GRADED_SHAPES)
    for row in rows:
        covered = min(share(row[name]) for name in GRADED_COLUMNS if name.startswith("coverage"))
        assert covered >= LEVEL - slack(LEVEL, runs)
        assert share(row["false positives"]) <= FALSE + slack(FALSE, runs)
