"""Evaluator `pair-accuracy`: counts by hand, and the caution about length."""

from pathlib import Path
from typing import Any

import pytest

from foundry.core.blocks import Block
from foundry.core.errors import DataError
from foundry.core.records import Example, Turn
from foundry.encode.tokenize import open_encoder
from foundry.evals.answers import Answer, Column, Item
from foundry.evals.compare import Evidence, Measures, build_report
from foundry.evals.comparison import Roles
from foundry.evals.evaluators.pair_accuracy import Spec, of_shorter, score
from foundry.evals.reward_pairs import LONGER, TITLES, Pairs, longer_answer, pairs_of
from foundry.models.fetch import locate

SHORT, LONG = "三百元。", "不知道，請洽門市人員。"


def pair(number: int, better: str = LONG, worse: str = SHORT) -> Item:
    turns = Turn("user", f"售價{number}？"), Turn("assistant", better)
    name = f"row-{number}"
    return Item(
        Example(name, turns, "rows.json", number, name, rejected=Turn("assistant", worse)), "test"
    )


def said(item: Item, better: float, worse: float) -> Answer:
    text = item.example.answer if better >= worse else item.example.rejected.content  # type: ignore[union-attr]
    return Answer(item.example.id, text, 1, True, scores={"better": better, "worse": worse})


@pytest.mark.parametrize(
    ("better", "worse", "points"), [(1.0, -1.0, 1.0), (-2.0, -1.0, 0.0), (0.5, 0.5, 0.5)]
)
def test_better_answer_must_have_the_higher_reward(better: float, worse: float, points: float):
    item = pair(1)

    assert score(item, said(item, better, worse), Spec()) == points


def test_pairs_whose_better_answer_is_shorter_are_counted_apart():
    longer, shorter = pair(1), pair(2, SHORT, LONG)

    assert of_shorter(longer, said(longer, 1.0, 0.0), Spec()) is None
    assert of_shorter(shorter, said(shorter, 1.0, 0.0), Spec()) == 1.0


def report(right: list[int], count: int = 40) -> dict[str, Any]:
    """Of pairs of which half are better by the longer answer; the model is right on `right`."""
    sides = [(f"{LONG}{n}", f"{SHORT}{n}") for n in range(count)]
    items = [pair(n, *(both if n % 2 else both[::-1])) for n, both in enumerate(sides)]
    models = {"base": range(0, count, 2), "tuned": right}
    columns = [
        Column(
            *(name, TITLES[name], {}),
            {i.example.id: said(i, float(i.example.line in own), 0.5) for i in items},
            seconds=1.0,
        )
        for name, own in models.items()
    ]
    fixed = dict.fromkeys(
        ("template_sha256", "system", "bos_count", "first_prompt_ids", "prompts_sha256"), ""
    ) | {"stop_ids": [], "decoding": {}, "runtime": "transformers"}
    columns = [Column(c.name, c.title, fixed, c.answers, 1.0) for c in columns]
    return build_report(
        items,
        [*columns, longer_answer(Pairs(items, {}, {}))],
        measures=Measures([Block(kind="pair-accuracy", spec=Spec())]),
        roles=Roles(base=("base",), tuned="tuned", naive=(LONGER,)),
        evidence=Evidence({"en": "x", "zh-TW": "x"}),
        seed=0,
    )


def test_pair_that_cannot_be_encoded_is_left_out_and_named(tiny_llama: Path, tmp_path: Path):
    encoder = open_encoder(locate(str(tiny_llama), tmp_path))

    found = pairs_of([pair(1), pair(2, worse=" "), pair(3)], encoder)

    assert [item.example.id for item in found.items] == ["row-1", "row-3"] == [*found.rows]
    (left_out,) = found.left_out
    assert (left_out.line, left_out.code) == (2, "empty-answer")


def test_nothing_but_such_pairs_is_refused(tiny_llama: Path, tmp_path: Path):
    encoder = open_encoder(locate(str(tiny_llama), tmp_path))

    with pytest.raises(DataError, match="no pair of a better and a worse answer"):
        pairs_of([pair(2, worse=" ")], encoder)


def told(made: dict[str, Any]) -> str:
    return " ".join(sentence["en"] for sentence in made["headlines"])


def means(made: dict[str, Any]) -> dict[str, float]:
    return {s["column"]: s["mean"] for s in made["scores"] if s["metric"] == "pair-accuracy"}


def test_longer_answer_scores_what_it_prefers():
    assert means(report([*range(40)])) == {"base": 0.5, "tuned": 1.0, LONGER: 0.5}


def test_model_that_is_no_better_than_length_is_told_so():
    by_length, knowing = report([*range(1, 40, 2)]), report([*range(40)])

    assert "The longer answer” scores 50.0" in told(by_length)
    assert "not clearly better" not in told(knowing)
