"""A name that refers to a test part or a metric must be there."""

import pytest

PARTS = "  tests: [{name: closed-book, path: c.csv}, {name: open-book, path: o.csv}]\n"
EVALS = "evals: [{kind: exact-match}]\n"


def test_names_that_are_there_are_accepted(load):
    loaded = load(
        PARTS
        + "evals: [{kind: exact-match, parts: [open-book]}]\n"
        + "gates: [{metric: exact-match, part: closed-book, min: 0.5}]\n"
    )

    assert loaded.recipe.gates[0].part == "closed-book"


def test_split_makes_the_part_test(load):
    load("  split: {test: 0.2}\n" + EVALS + "gates: [{metric: exact-match, part: test, min: 0}]\n")


@pytest.mark.parametrize(
    ("more", "where"),
    [
        ("evals: [{kind: exact-match, parts: [closed-bok]}]\n", "11:37: evals.0.parts.0"),
        ("evals: [{kind: declines, phrases: [a], part: closed-bok}]\n", "11:40: evals.0.part"),
        (
            EVALS + "gates: [{metric: exact-match, part: closed-bok, min: 0}]\n",
            "12:31: gates.0.part",
        ),
    ],
)
def test_unknown_part_names_the_nearest(mistakes, more, where):
    assert mistakes(PARTS + more) == [
        f"shop.yaml:{where}: unknown test part: `closed-bok`; there are: closed-book, open-book\n"
        "  fix: use `closed-book`"
    ]


def test_a_gate_may_name_a_further_metric_of_an_evaluator(load):
    loaded = load(
        PARTS
        + "evals: [{kind: declines, phrases: [a], part: open-book}]\n"
        + "gates: [{metric: wrongly-declined, max: 0.1}]\n"
    )

    assert loaded.recipe.gates[0].metric == "wrongly-declined"


@pytest.mark.parametrize(
    ("metric", "bound", "less_or_more", "right"),
    [("wrongly-declined", "min", "less", "max"), ("declines", "max", "more", "min")],
)
def test_a_bound_on_the_wrong_side_is_refused(mistakes, metric, bound, less_or_more, right):
    evals = "evals: [{kind: declines, phrases: [a], part: open-book}]\n"
    gates = f"gates: [{{metric: {metric}, min_gain: 0.1, {bound}: 0.1}}]\n"

    (mistake,) = mistakes(PARTS + evals + gates)

    assert mistake.startswith("shop.yaml:12:")
    assert mistake.endswith(
        f"gates.0.{bound}: of `{metric}` {less_or_more} is better\n  fix: write `{right}`"
    )


def test_unknown_metric_names_the_nearest(mistakes):
    assert mistakes(PARTS + EVALS + "gates: [{metric: exact, min: 0}]\n") == [
        "shop.yaml:12:10: gates.0.metric: no evaluator of this name: `exact`; "
        "there are: exact-match\n"
        "  fix: use `exact-match`"
    ]


def test_gate_without_any_evaluator_is_refused(mistakes):
    assert "there are: none" in mistakes("gates: [{metric: exact-match, min: 0}]\n")[0]


def test_gate_without_a_bound_is_refused(mistakes):
    assert mistakes(PARTS + EVALS + "gates: [{metric: exact-match}]\n") == [
        "shop.yaml:12:9: gates.0: the gate has no bound\n"
        "  fix: add `min`, `max`, `min_gain`, `max_drop_pp` or `non_inferiority_pp` to it"
    ]


@pytest.mark.parametrize("name", ["train", "test", "open-book"])
def test_name_of_a_part_is_taken_once(mistakes, name):
    text = f"  split: {{test: 0.2}}\n{PARTS[:-2]}, {{name: {name}, path: x.csv}}]\n"

    assert mistakes(text) == [
        f"shop.yaml:11:78: data.tests.2.name: the name `{name}` is taken by another part\n"
        "  fix: give the part a name of its own"
    ]


def test_evaluators_need_something_to_evaluate_on(mistakes):
    assert mistakes(EVALS) == [
        "shop.yaml:10:1: evals: there is nothing to evaluate on\n"
        "  fix: add `data.tests` or `data.split`"
    ]


def test_wrong_reference_is_told_together_with_a_wrong_type(mistakes):
    found = mistakes(PARTS + "evals: [{kind: exact-match, parts: [zzz]}]\nseed: x\n")

    assert [problem.split(": ")[1] for problem in found] == ["evals.0.parts.0", "seed"]
