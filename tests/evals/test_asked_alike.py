"""What was scored is said, asked alike, and can be scored again to the same number (C28)."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from foundry.core import atomic
from foundry.data.prepare import read_examples, read_once
from foundry.encode.tokenize import Encoder, open_encoder
from foundry.evals import answering, answers, asking, examine
from foundry.evals.answering import Asked
from foundry.models.fetch import locate
from tests.cases import case, change
from tests.tiny_recipe import TinyRecipe

Prompts = list[list[int]]
ALIKE = ("base", "tuned", "delivered")
chat_prompts, parse, recorded = examine._chat_prompts, answers._parse, answering.settings


def examined_again(recipe: TinyRecipe) -> dict[str, Any]:
    """The report of the evaluation stage, made anew over the answers that are on disk."""
    recipe.run.file("stamps", "evaluate.json").unlink()
    outcome = recipe.train("--until", "evaluate")
    assert outcome.code == 0, outcome
    return report(recipe)


def records(recipe: TinyRecipe) -> dict[str, bytes]:
    folder = recipe.run.file("evals", "answers")
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def report(recipe: TinyRecipe) -> dict[str, Any]:
    return dict(json.loads(recipe.run.file("evals", "report.json").read_text(encoding="utf-8")))


def base_asked(change_ids: Callable[[Encoder, Prompts], Prompts]) -> Any:
    """Only the base gets other prompts; what its column says is computed from them."""

    def asked(exam: Any, name: str) -> Asked:
        made = chat_prompts(exam, name)
        if name != "base":
            return made
        ids = change_ids(exam.encoder, [*made.prompts.values()])
        prompts = dict(zip(made.prompts, ids, strict=True))
        prompting = answering.Prompting(exam.encoder.template, None, exam.encoder.bos_id)
        said = answering.settings([*prompts.values()], made.decoding, prompting)
        return replace(made, prompts=prompts, settings=said)

    return change(examine, "_chat_prompts", asked)


def raw(encoder: Encoder, prompts: Prompts) -> Prompts:
    """The questions without their template."""
    control = {*encoder.special.values()}
    return [[encoder.bos_id, *[token for token in ids if token not in control]] for ids in prompts]


def bos_twice(encoder: Encoder, prompts: Prompts) -> Prompts:
    return [[encoder.bos_id, *ids] for ids in prompts]


def last_one_twice(_encoder: Encoder, prompts: Prompts) -> Prompts:
    """Nothing that is shown of the first prompt tells it."""
    return [*prompts[:-1], prompts[-1] * 2]


def nothing_said(*given: Any) -> dict[str, Any]:
    said = recorded(*given)
    return {key: {} if isinstance(value, dict) else "unknown" for key, value in said.items()}


UNLIKE = {
    "the base is asked without the template": base_asked(raw),
    "the base is asked with two BOS": base_asked(bos_twice),
    "the base is asked one thing twice": base_asked(last_one_twice),
}


@case("C28", UNLIKE | {"nothing is said": change(asking, "settings", nothing_said)})
def test_report_says_how_each_model_was_asked_and_they_were_asked_alike(finished: TinyRecipe):
    made = examined_again(finished)

    encoder = open_encoder(locate("base", finished.folder))
    first = read_examples(finished.run.file("data", "test.jsonl"))[0]
    template = hashlib.sha256(encoder.template.encode()).hexdigest()
    columns = {column["name"]: column for column in made["columns"] if column["role"] != "naive"}
    said = {name: column["settings"] for name, column in columns.items()}
    assert set(said) == {*ALIKE, "base-few-shot"}
    for name in ALIKE:
        assert said[name]["template_sha256"] == template
        assert said[name]["system"] is None
        assert said[name]["bos_count"] == 1
        assert said[name]["first_prompt_ids"] == encoder.prompt_ids(first.prompt)[:20]
        assert said[name]["stop_ids"] == said["tuned"]["stop_ids"] != []
        assert said[name]["decoding"]["max_new_tokens"] == 16
        assert columns[name]["asked_unlike_tuned"] == []
    for name, settings in said.items():
        lines = finished.run.file("evals", "prompts", f"{name}.jsonl").read_text().splitlines()
        prompts = {line["item_id"]: line["ids"] for line in map(json.loads, lines)}
        assert atomic.fingerprint([*prompts.values()]) == settings["prompts_sha256"]
        assert prompts[first.id][:20] == settings["first_prompt_ids"]
    assert columns["base-few-shot"]["asked_unlike_tuned"][0] == "template_sha256"
    trained = {row.id for row in read_once(finished.run.file("data", "train.jsonl"))}
    assert said["base-few-shot"]["few_shot"] == len(said["base-few-shot"]["shots"]) == 1
    assert {*said["base-few-shot"]["shots"]} <= trained


def forgetful(path: Any) -> Any:
    """Of each answer the record keeps the first letter."""
    kept = parse(path)
    short = {key: replace(answer, text=answer.text[:1]) for key, answer in kept.answers.items()}
    return replace(kept, answers=short)


@case(
    "C28",
    {
        "the record keeps half of it": change(answers, "_parse", forgetful),
        "the record is not used": change(answering, "resume_answers", lambda *_: {}),
    },
)
def test_scoring_again_from_the_record_gives_the_same_numbers(finished: TinyRecipe):
    before, answered = report(finished), records(finished)

    again = examined_again(finished)

    assert len(before["scores"]) > 4
    assert records(finished) == answered  # no model was asked
    for key in ("scores", "differences", "headlines", "gates"):
        assert again[key] == before[key]
    for old, new in zip(before["columns"], again["columns"], strict=True):
        assert new["answers_sha256"] == old["answers_sha256"]
        assert new.get("seconds") == old.get("seconds")
