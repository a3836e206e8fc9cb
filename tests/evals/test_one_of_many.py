"""A difference that counts alone and not among all that were looked at is told as such."""

from dataclasses import replace

from foundry.evals.headlines import say_difference
from foundry.evals.peers import say_apart
from foundry.evals.statistics import Difference, verdict

# lora against ia3 of docs/studies.md.
FOUND = Difference(
    *(0.072, 0.026, 0.117, 0.0024, 149, 87), degrees=75.4, p_adjusted=0.067, comparisons=28
)


def test_what_counts_alone_is_told_with_the_number_of_comparisons():
    said = say_difference(FOUND)

    assert verdict(FOUND) == "NO DIFFERENCE"
    assert "Alone it would count, but 28 comparisons were made" in said["en"]
    assert "一共比了 28 項" in said["zh-TW"]
    assert "28 comparisons" in say_apart(FOUND, 1)["en"]


def test_few_groups_that_would_show_it_alone_are_told_too():
    few = replace(FOUND, groups=8, p_value=0.008, p_adjusted=0.2, degrees=7.0)

    said = say_difference(few)["en"]

    assert verdict(few) == "NOT ENOUGH DATA"
    assert "28 comparisons were made" in said


def test_what_counts_neither_way_or_both_is_not():
    alone = replace(FOUND, p_value=0.2, low=-0.02)
    certain = replace(FOUND, p_value=0.0001, p_adjusted=0.003)

    for one in (alone, certain, replace(FOUND, p_adjusted=None)):
        assert "28 comparisons" not in say_difference(one)["en"]
    assert verdict(certain) == "BETTER"
