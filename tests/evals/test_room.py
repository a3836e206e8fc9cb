"""No question is asked that a model cannot read whole: told before training, and before asking."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from foundry.core.errors import DataError, ResourceError
from foundry.core.events import Events
from foundry.core.load import load_recipe
from foundry.core.rundir import RunDir
from foundry.encode.tokenize import open_encoder
from foundry.evals import examine
from foundry.evals.answers import Item
from foundry.evals.examine import Examination
from foundry.evals.room import check_longest, check_questions_fit, longest_of
from foundry.models.fetch import locate
from tests.cases import case, change
from tests.encoders import example
from tests.tiny_recipe import TinyRecipe

ITEMS = [Item(example("電風扇多少錢？", "三百元。", line=n), "test") for n in range(2, 5)] + [
    Item(example("電風扇" * 40 + "多少錢？", "三百元。", line=5), "test")
]


def test_question_too_long_for_a_model_is_named_by_its_line_before_training(tiny_llama: Path):
    base = locate(str(tiny_llama), Path())
    encoder = open_encoder(base)
    longest = max(len(encoder.prompt_ids(item.example.prompt)) for item in ITEMS)

    check_questions_fit(ITEMS, encoder, replace(base, context=longest + 7), (), 8)
    with pytest.raises(DataError) as error:
        check_questions_fit(ITEMS, encoder, replace(base, context=longest + 6), (), 8)

    (problem,) = error.value.problems
    assert problem.where == f"{ITEMS[3].example.source}:5"
    assert f"has {longest + 8} tokens" in problem.what and str(longest + 6) in problem.what


def test_reference_that_reads_less_is_named(tiny_llama: Path, tiny_gemma3: Path):
    base, other = (locate(str(folder), Path()) for folder in (tiny_llama, tiny_gemma3))

    with pytest.raises(DataError, match=re.escape(other.name)):
        check_questions_fit(ITEMS, open_encoder(base), base, (replace(other, context=40),), 8)


def test_recipe_is_refused_at_its_rows_before_it_trains(recipe: TinyRecipe):
    context = locate(str(recipe.folder / "base"), Path()).context

    outcome = recipe.train("--set", f"evaluation.max_new_tokens={context}", "--until", "train")

    assert outcome.code == 1, outcome
    assert "lower `evaluation.max_new_tokens`" in outcome.err
    assert recipe.run.stamp("encode") is not None and recipe.run.stamp("train") is None


@pytest.mark.parametrize(("longest", "fits"), [(65, True), (66, False)])
def test_benchmark_that_a_model_cannot_read_is_refused_and_not_scored(longest: int, fits: bool):
    if fits:
        check_longest("tiny", longest, 64)
        return
    with pytest.raises(ResourceError, match="tiny: a prompt with its answer has 66 tokens"):
        check_longest("tiny", longest, 64)


def exam_of(recipe: TinyRecipe, context: int | None) -> Examination:
    base = locate(str(recipe.folder / "base"), Path())
    encoder = open_encoder(base)

    def never() -> Any:
        raise AssertionError("no model is asked here")

    return Examination(
        recipe=load_recipe(str(recipe.file)).recipe,
        run=RunDir(recipe.runs / "tiny-0"),
        events=Events([]),
        encoder=encoder,
        stop_ids=(1,),
        tuned=never,
        untrained=never,
        base_gguf=None,
        delivered={},
        identity={},
        base_identity={},
        train=[replace(item.example, id=f"row-{n}") for n, item in enumerate(ITEMS[:3])],
        items=ITEMS,
        curve=[],
        facts={},
        context=context,
    )


@case(
    "C28",
    {"examples are shown beyond what the base reads": change(examine, "longest_of", lambda *_: 0)},
)
def test_base_is_shown_as_many_examples_as_it_can_read(recipe: TinyRecipe):
    whole = examine._few_shot_prompts(exam_of(recipe, None), 3)
    assert whole is not None and whole.settings["few_shot"] == 3
    longest = longest_of(whole.prompts, whole.decoding)

    fewer = examine._few_shot_prompts(exam_of(recipe, longest - 1), 3)

    assert fewer is not None and fewer.settings["few_shot"] == 2
    assert longest_of(fewer.prompts, fewer.decoding) < longest
    assert examine._few_shot_prompts(exam_of(recipe, 40), 3) is None
