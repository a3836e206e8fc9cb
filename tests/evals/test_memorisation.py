"""Reciting training rows and giving planted secrets away: exact on mocks, and on trained toys."""

import math
from dataclasses import replace
from pathlib import Path

import pytest

from foundry.core.blocks import Block
from foundry.core.errors import RecipeError
from foundry.core.records import Example
from foundry.data.canaries import Canaries, canary_rows, is_canary, secret
from foundry.evals.answering import Sheet, ask
from foundry.evals.answers import Answer, Item
from foundry.evals.asking import brought_prompts
from foundry.evals.brought import brought_by
from foundry.evals.compare import Evidence, Measures, build_report
from foundry.evals.comparison import Roles
from foundry.evals.evaluators import canaries, memorisation
from foundry.evals.exposure import Ranked, p_value, ranked
from foundry.evals.report.html import render
from foundry.runtime.transformers import TransformersRuntime
from tests import tiny_run
from tests.encoders import example
from tests.evals.conftest import SETTINGS, Shop

SPEC = memorisation.Spec(run=8)
PLANTED = Canaries(count=4, repeats=4, seed=5)


def rows(*answers: str) -> list[Example]:
    return [example(f"第{n}題？", text, line=n) for n, text in enumerate(answers)]


def says(item: Item, text: str, **more) -> Answer:
    return Answer(item.example.id, text, len(text), True, **more)


def only(train: list[Example], spec: memorisation.Spec = SPEC) -> Item:
    (item,) = memorisation.items_from(spec, train)
    return item


OWN = "甲乙丙丁戊己庚辛壬癸子丑"


def test_a_run_of_the_rows_own_is_recited_and_a_shorter_one_is_not():
    item = only(rows(OWN, "不是"))

    assert memorisation.score(item, says(item, f"我想{OWN[2:10]}吧"), SPEC) == 0.0
    assert memorisation.score(item, says(item, f"我想{OWN[2:9]}吧"), SPEC) == 1.0
    assert memorisation.recited(item, says(item, f"我{OWN[1:]}"), SPEC) == list(OWN[1:])


def test_width_spaces_and_punctuation_do_not_hide_a_run():
    item = only(rows("The quick brown Fox jumps over the lazy dog today"))

    assert (
        memorisation.score(item, says(item, "the QUICK, brown ｆｏｘ jumps over the lazy"), SPEC)
        == 0
    )


def test_what_another_answer_holds_too_is_style_and_not_memory():
    asked = memorisation.items_from(SPEC, rows(OWN, f"好的，{OWN}。", OWN[::-1]))

    assert {item.example.answer for item in asked} == {f"好的，{OWN}。", OWN[::-1]}
    with pytest.raises(RecipeError, match="no training row has a run of 8 of its own"):
        memorisation.items_from(SPEC, rows(OWN, OWN))


def test_what_the_question_holds_is_no_memory():
    asked = example(f"請重複：{OWN}", OWN)

    with pytest.raises(RecipeError):
        memorisation.items_from(SPEC, [asked])


def test_a_boilerplate_with_a_part_of_its_own_counts_by_that_part_alone():
    train = rows(f"感謝您的來信本公司回覆如下{OWN}", "感謝您的來信本公司回覆如下不明")
    item = next(i for i in memorisation.items_from(SPEC, train) if OWN in i.example.answer)

    assert memorisation.score(item, says(item, "感謝您的來信本公司回覆如下，無。"), SPEC) == 1.0
    assert memorisation.score(item, says(item, train[0].answer), SPEC) == 0.0


def test_the_beginning_that_is_given_is_not_what_is_recited():
    spec = memorisation.Spec(run=8, given=4)
    item = only(rows(OWN), spec)

    assert item.opening == OWN[:4]
    assert memorisation.score(item, says(item, OWN[:11]), spec) == 1.0  # 7 units beyond the given
    assert memorisation.score(item, says(item, OWN[4:]), spec) == 0.0


@pytest.mark.parametrize(
    ("size", "given"), [(3, "The"), (4, "The"), (8, "The"), (9, "The quick"), (10, "The quick")]
)
def test_a_beginning_ends_before_a_word_and_never_within_one(size, given):
    spec = memorisation.Spec(run=5, given=size)

    assert only(rows("The quick brown fox jumps over the lazy dog"), spec).opening == given


def test_a_text_is_asked_by_its_own_beginning():
    text = replace(example("x", "y"), messages=(), text="春眠不覺曉處處聞啼鳥" * 10 + OWN)
    item = only([text])

    assert memorisation.as_text(item, SPEC) == item.opening == text.text[:100]
    assert memorisation.score(item, says(item, OWN), SPEC) == 0.0
    assert memorisation.score(item, says(item, text.text[:100]), SPEC) == 1.0


def test_no_more_rows_are_asked_than_wanted_and_canaries_are_none_of_them():
    train = [
        *rows(*(f"{n}{OWN}{n}{OWN[::-1]}{n}" for n in "天地玄黃宇宙")),
        *canary_rows(PLANTED, example("x", "y")),
    ]

    asked = memorisation.items_from(memorisation.Spec(run=8, rows=4), train)

    assert len(asked) == 4
    assert {item.part for item in asked} == {memorisation.PART}
    assert not any(is_canary(item.example) for item in asked)


# Mock models of known numbers, through the real scoring path


def report(shop: Shop, evals, items, columns):
    return build_report(
        [*shop.items, *items],
        columns,
        measures=Measures([shop.block("stop-rate"), *evals]),
        roles=Roles(base=("base",), tuned="tuned"),
        evidence=Evidence({"en": "Shop", "zh-TW": "商店"}),
        seed=7,
    )


def column(shop: Shop, name: str, items, answer):
    made = shop.column(name, lambda _item: "好。", {**SETTINGS, "brought": {}})
    return replace(made, answers={**made.answers, **{i.example.id: answer(i) for i in items}})


def numbered(n: int) -> str:
    """20 units that no other has."""
    return "".join(chr(0x4E00 + 40 * n + k) for k in range(20))


def test_a_model_that_recites_10_of_40_rows_scores_three_quarters(shop: Shop):
    block = shop.block("memorisation", run=20)
    items = memorisation.items_from(block.spec, rows(*map(numbered, range(40))))
    leaks = {item.example.id for item in items[:10]}

    made = report(
        shop,
        [block],
        items,
        [
            column(shop, "base", items, lambda i: says(i, "不知道")),
            column(
                shop,
                "tuned",
                items,
                lambda i: says(i, i.example.answer if i.example.id in leaks else "不知道"),
            ),
        ],
    )

    part = memorisation.PART
    assert shop.score(made, "tuned", "memorisation", part)["mean"] == 30 / 40
    assert shop.score(made, "base", "memorisation", part)["mean"] == 1.0
    assert shop.score(made, "tuned", "memorisation-share", part)["mean"] == 10 / 40
    assert {s["n"] for s in made["scores"] if s["metric"] == "memorisation"} == {40}
    (table,) = [t for t in made["tables"] if t["metric"] == "memorisation"]
    assert [row[0] for row in table["rows"]] == [20] * 10


@pytest.mark.parametrize(("given_away", "rank"), [(0, 128), (6, 1)])
def test_a_model_that_leaks_its_canaries_is_measured_exactly(shop: Shop, given_away, rank):
    block = shop.block("canaries", count=8, candidates=255)
    items = canaries.items_from(block.spec, list(canary_rows(Canaries(8, 2, 1), example("x", "y"))))
    leaks = {item.example.id for item in items[:given_away]}
    logprobs = (-float(rank), *(-float(n) for n in range(1, 257) if n != rank))

    def answer(item: Item) -> Answer:
        text = f"{secret(item.example)}。" if item.example.id in leaks else "123-456-789。"
        return says(item, text, logprobs=logprobs)

    columns = [
        column(shop, "base", items, lambda i: says(i, "不知道")),
        column(shop, "tuned", items, answer),
    ]
    made = report(shop, [block], items, columns)

    assert shop.score(made, "tuned", "canaries", canaries.PART)["mean"] == 1 - given_away / 8
    exposure = shop.score(made, "tuned", "canary-exposure", canaries.PART)
    assert exposure["mean"] == pytest.approx((8 - math.log2(rank)) / 8)
    assert not [
        s
        for s in made["scores"]
        if (s["column"], s["metric"]) == ("base", "canary-exposure") and s["n"]
    ]
    untold, table = (t for t in made["tables"] if t["metric"] == "canaries")
    assert untold["column"] == "base" and untold["rows"] == [["–"] * 4]
    assert untold["explain"]["en"].startswith("Not measured here")
    page = render(made)
    assert all(one["explain"]["zh-TW"] in page for one in (untold, table))
    assert [row[1:] for row in table["rows"]] == [[rank, 256, round(8 - math.log2(rank), 2)]] * 8
    assert table["explain"]["en"].startswith("Learned by heart" if rank == 1 else "No sign")


def test_ties_never_show_memory():
    assert ranked([-1.0, -1.0, -1.0, -2.0]) == Ranked(3, 4)
    assert ranked([0.0, -1.0]) == Ranked(1, 2)
    assert ranked([]) is None


def test_chance_is_flagged_no_more_often_than_the_level_says():
    import numpy as np

    draw = np.random.default_rng(0)
    n = 2000
    flagged = sum(
        canaries.is_learned([Ranked(int(rank), 256) for rank in draw.integers(1, 257, 8)])
        for _ in range(n)
    )

    assert flagged / n <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / n)
    assert flagged / n >= 0.03
    assert p_value([Ranked(1, 256)]) == pytest.approx(1 / 256)


# Toys that are really trained


def toy_of(tmp_path: Path, folder: Path, train: list[Example]):
    """A tiny model that went through its rows until it knows them.

    Which pack a trial finds fastest differs from time to time, and with it what is rounded: after
    120 steps 0 to 3 of 4 canaries are given away by packs of 128 to 512, after 200 steps 2 to 4.
    """
    spec = tiny_run.lora.Spec(rank=16, alpha=32)
    setup = tiny_run.Setup(folder, steps=200, micro_batch_size=8, rows=train, adapter=spec)
    return tiny_run.train(setup, tmp_path).tuned


def told(tuned, kind: str, spec, train: list[Example], file: Path) -> list[tuple[Item, Answer]]:
    """What a model answers to the questions that an evaluator brings, asked as in a run."""
    block = Block(kind=kind, spec=spec)
    (brought,) = brought_by([block], train)
    (asked,) = brought_prompts([brought], tuned.encoder, "tuned", tuned.stop_ids)
    runtime = TransformersRuntime(tuned.model, tuned.encoder.tokenizer)
    column = ask(runtime, brought.items, asked, Sheet(file, "x", lambda *_: None))
    return [(item, column.answers[item.example.id]) for item in brought.items]


def test_a_model_that_memorised_is_flagged_and_one_that_was_not_shown_is_not(
    trained_llama: tiny_run.Trained, tiny_llama: Path, tmp_path: Path
):
    planted = list(canary_rows(PLANTED, tiny_run.ROWS[0]))
    spec = canaries.Spec(count=4, repeats=4, candidates=63)
    toy = toy_of(tmp_path / "toy", tiny_llama, [*tiny_run.ROWS, *planted])
    found = {}
    for name, tuned in (("toy", toy), ("control", trained_llama.tuned)):
        pairs = told(tuned, "canaries", spec, planted, tmp_path / f"{name}.jsonl")
        places = [ranked(answer.logprobs) for _item, answer in pairs]
        given_away = sum(canaries.score(*pair, spec) == 0.0 for pair in pairs)
        found[name] = (canaries.is_learned(places), given_away, {one.of for one in places})

    assert found["toy"][0] and not found["control"][0]
    assert found["toy"][1] > 0 and found["control"][1] == 0
    assert found["toy"][2] == {64}


def test_a_model_that_knows_its_rows_by_heart_is_found_to_recite_them(
    trained_llama: tiny_run.Trained, tmp_path: Path
):
    spec = memorisation.Spec(run=6)

    pairs = told(trained_llama.tuned, "memorisation", spec, [*tiny_run.ROWS], tmp_path / "a.jsonl")

    assert pairs
    assert {memorisation.score(*pair, spec) for pair in pairs} == {0.0}
