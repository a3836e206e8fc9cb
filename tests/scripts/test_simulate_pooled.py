"""Intervals of macro F1 hold the truth where it is known, and the page says what was found."""

import pytest

from foundry.evals import set_statistics
from scripts import simulate_pooled
from scripts.simulate_pooled import COLUMNS, SECTION, SHAPES
from scripts.simulate_pooled import simulate_pooled as simulate
from scripts.simulate_statistics import FALSE, LEVEL, slack
from tests.scripts.test_simulate_statistics import figures, share

RUNS = 120


@pytest.mark.parametrize("shape", [(30, 1, 3), (60, 3, 5)], ids=str)
def test_intervals_cover_and_tests_do_not_cry_wolf(shape):
    kept = simulate(*shape, runs=RUNS, seed=7)

    assert min(*kept.coverage, kept.difference_coverage) >= LEVEL - slack(LEVEL, RUNS)
    assert kept.false_positives <= FALSE + slack(FALSE, RUNS)


def test_questions_taken_for_groups_would_cover_too_little(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(simulate_pooled, "CORRELATION", 0.8)
    shape, least = (40, 8, 3), LEVEL - slack(LEVEL, RUNS)

    assert min(simulate(*shape, runs=RUNS, seed=7).coverage) >= least

    def of_questions(counts, groups, number, *, seed):
        names = [str(place) for place in range(len(groups))]
        return set_statistics.interval(counts, names, number, seed=seed)

    monkeypatch.setattr(simulate_pooled, "interval", of_questions)
    assert min(simulate(*shape, runs=RUNS, seed=7).coverage) < least


def test_page_holds_every_shape_and_keeps_the_bounds():
    runs, rows = figures(COLUMNS, SECTION)

    assert len(rows) == len(SHAPES)
    for row in rows:
        covered = min(share(row[name]) for name in COLUMNS if name.startswith("coverage"))
        assert covered >= LEVEL - slack(LEVEL, runs)
        assert share(row["false positives"]) <= FALSE + slack(FALSE, runs)
