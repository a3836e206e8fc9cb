"""Many comparisons are judged together, and the report says with which p value."""

import pytest

from foundry.evals.multiplicity import holm, judged_together
from foundry.evals.statistics import Difference, verdict


def difference(p_value: float) -> Difference:
    return Difference(0.2, 0.05, 0.35, p_value, n=60, groups=60)


def test_p_values_are_corrected_as_holm_does():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


@pytest.mark.parametrize(("given", "found"), [([], []), ([0.2], [0.2]), ([0.9, 0.8], [1.0, 1.0])])
def test_one_is_left_alone_and_none_is_over_one(given, found):
    assert holm(given) == found


def test_what_is_clear_alone_may_not_be_among_many():
    alone, *_ = judged_together([difference(0.03)])
    among, *_ = judged_together([difference(0.03), *[difference(0.5)] * 9])

    assert (verdict(alone), verdict(among)) == ("BETTER", "NO DIFFERENCE")
    assert (among.p_value, among.p_adjusted, among.comparisons) == (0.03, pytest.approx(0.3), 10)


def test_a_report_judges_all_its_comparisons_together(shop):
    report = shop.report(
        [shop.column("base", shop.right(20)), shop.column("tuned", shop.right(32))]
    )

    differences = report["differences"]
    raw = [d["p_value"] for d in differences]
    assert {d["comparisons"] for d in differences} == {len(differences)}
    assert [d["p_adjusted"] for d in differences] == pytest.approx(holm(raw), abs=1e-5)
    (found,) = [d for d in differences if d["metric"] == "required-facts"]
    assert found["p_value"] < 0.05 < found["p_adjusted"]
    assert (found["verdict"], found["test"]) == ("NO DIFFERENCE", "paired permutation")
    assert "would most likely have shown" in found["sentence"]["en"]
