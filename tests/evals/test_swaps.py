"""P values are exact where answers are right or wrong, and swap whole groups."""

from itertools import product

import numpy as np
import pytest
from scipy import stats

from foundry.evals import swaps
from foundry.evals.statistics import paired_difference
from foundry.evals.swaps import paired_p_value

WON, LOST = 10, 2
MCNEMAR = 2 * (1 + 12 + 66) / 2**12  # 2 or fewer of 12, and as far on the other side


def models(times: int = 1) -> tuple[list[float], list[float], list[str]]:
    """60 questions: 10 that only the first has right, 2 that only the second has."""
    a = ([1.0] * WON + [0.0] * LOST + [1.0] * 48) * times
    b = ([0.0] * WON + [1.0] * LOST + [1.0] * 48) * times
    return a, b, [str(n) for n in range(60)] * times


def test_single_questions_are_tested_by_exact_mcnemar():
    found = paired_difference(*models(), seed=0)

    assert found.test == "exact McNemar"
    assert found.p_value == pytest.approx(MCNEMAR)


def test_questions_of_a_group_are_swapped_together():
    found = paired_difference(*models(times=3), seed=0)

    assert found.test == "paired permutation"
    assert found.p_value == pytest.approx(MCNEMAR)  # McNemar on all 180 would say 2e-5


def test_swapping_single_questions_would_prove_too_much():
    a, b, _groups = models(times=3)

    found = paired_difference(a, b, [str(n) for n in range(180)], seed=0)

    assert found.p_value < MCNEMAR / 100


@pytest.mark.parametrize("sums", [[3, 1, -2, 2, 1, 1, -1], [2, 2, 2, 2, 2, 2], [1, -1], [4, -1]])
def test_every_turning_is_gone_through(sums):
    turned = [
        sum(s * x for s, x in zip(t, sums, strict=True)) for t in product((1, -1), repeat=len(sums))
    ]
    share = np.mean([abs(x) >= abs(sum(sums)) for x in turned])
    counts = np.full(len(sums), 4.0)

    p_value, _test = paired_p_value(np.array(sums, float), counts, whole=True, seed=0)

    assert p_value == pytest.approx(share)


def test_turnings_drawn_by_chance_agree_with_all_of_them():
    sums = np.random.default_rng(4).integers(-3, 5, 40).astype(float)
    counts = np.full(40, 5.0)

    exact, _ = paired_p_value(sums, counts, whole=True, seed=0)
    drawn, _ = paired_p_value(sums, counts, whole=False, seed=0)

    assert exact == pytest.approx(drawn, abs=0.015)  # 9,999 draws


@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize("size", [1.0, 3.0])
def test_no_or_one_group_that_differs_proves_nothing(whole, size):
    for sums in ([0.0] * 9, [1.0] + [0.0] * 8):
        found, _test = paired_p_value(np.array(sums), np.full(9, size), whole=whole, seed=0)
        assert found == 1.0


def test_difference_beyond_chance_counts_beside_hundreds_of_others():
    sums = 0.1 + 0.01 * np.arange(30)

    p_value, test = paired_p_value(sums, np.full(30, 2.0), whole=False, seed=0)

    assert test == "paired permutation"
    assert p_value == pytest.approx(2 / 100_000)  # all of 100,000 turnings are nearer to 0
    assert 1000 * p_value < 0.05


def test_share_that_many_turnings_decide_is_counted_in_few(monkeypatch):
    counts = []
    monkeypatch.setattr(swaps, "MORE_PERMUTATIONS", 0)  # would be refused

    def note(*args, **kwargs):
        counts.append(kwargs["n_resamples"])
        return permuted(*args, **kwargs)

    permuted = stats.permutation_test
    monkeypatch.setattr(stats, "permutation_test", note)
    sums = np.array([0.3, -0.2] * 15)

    p_value, _test = paired_p_value(sums, np.full(30, 2.0), whole=False, seed=0)

    assert counts == [9_999] and p_value > 0.1
