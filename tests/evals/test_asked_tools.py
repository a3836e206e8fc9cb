"""A model that may call tools is offered them when it is asked, as it was in training (C59)."""

from dataclasses import replace
from pathlib import Path

import pytest

from foundry.core.records import Example, ToolCall, Turn
from foundry.encode.tokenize import Encoder
from foundry.evals import asking
from foundry.evals.answers import Item
from foundry.evals.benchmark import Task
from foundry.evals.benchmarking import make_prompts
from foundry.evals.subjects import of_folder, of_gguf
from foundry.models.fetch import locate
from foundry.runtime.contract import Decoding
from foundry.train.losses.asking import read_questions
from tests.cases import case, change
from tests.encoders import FAMILIES, encode_all, lines_of, tiny_encoder
from tests.family_talks import TOOLS
from tests.tiny_run import Trained

CALL = Turn("assistant", "", tool_calls=(ToolCall("lookup", {"city": "Taipei"}),))
ROW = Example("row", (Turn("user", "Rain?"), CALL), "t.jsonl", 1, "row", tools=TOOLS)
prompt_ids = Encoder.prompt_ids


def without_tools(self, turns, tools=()):
    """The prompt of the same conversation in which nothing is offered."""
    return prompt_ids(self, turns)


@case("C59", {"the tools are left out": change(Encoder, "prompt_ids", without_tools)})
@pytest.mark.parametrize("family", FAMILIES)
def test_prompt_of_the_evaluation_is_that_of_the_training(family: str, tmp_path: Path):
    encoder = tiny_encoder(family)
    (row,), _report = encode_all([ROW], encoder, max_seq_len=4096)
    file = tmp_path / "train.jsonl"
    file.write_text("\n".join(lines_of([ROW])), encoding="utf-8")

    asked = asking.in_template(encoder, [Item(ROW, "test")], "tuned", Decoding(8))
    questions = read_questions(file, [row], encoder)

    ids = asked.prompts["row"]
    assert list(row.input_ids[: len(ids)]) == ids
    assert {*row.labels[: len(ids)]} == {-100} and row.labels[len(ids)] != -100
    assert [one.prompt_ids for one in questions.values()] == [tuple(ids)]


def test_package_and_file_are_offered_them_too(trained_llama: Trained, tmp_path: Path):
    tuned = trained_llama.with_gguf(tmp_path)
    of_base = of_folder("base", tuned.base)
    of_file = of_gguf("file", Path(str(tuned.base.gguf)))
    wanted = tuned.encoder.prompt_ids(ROW.prompt, TOOLS)

    for subject in (of_base, of_file):
        with subject.speaking() as speech:
            assert make_prompts(subject, speech, task(ROW)).prompts["row"] == wanted
            bare = make_prompts(subject, speech, task(replace(ROW, tools=())))
            assert bare.prompts["row"] == tuned.encoder.prompt_ids(ROW.prompt)


def task(row: Example) -> Task:
    """The row as a task in each model's own template."""
    return Task(
        name="tests",
        title={"en": "T", "zh-TW": "T"},
        method="generate",
        form="chat",
        items=(Item(row, "test"),),
        evals=(),
        text=lambda _: "",
        turns=lambda example: example.prompt,
        template="",
        said={},
        max_new_tokens=8,
    )


def test_questions_that_offer_other_tools_are_other_questions(tmp_path: Path, tiny_llama: Path):
    subject = of_folder("base", locate(str(tiny_llama), tmp_path))
    with subject.speaking() as speech:
        said = [
            make_prompts(subject, speech, task(replace(ROW, tools=tools))).settings
            for tools in (TOOLS, ())
        ]

    assert said[0]["questions_sha256"] != said[1]["questions_sha256"]
