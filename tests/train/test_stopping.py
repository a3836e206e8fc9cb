"""A model that knows one answer by heart says it and stops by itself (C01, C02)."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from foundry.core.records import Example
from foundry.data.formats import instruction
from foundry.encode import tokenize
from foundry.encode.tokenize import IGNORED
from foundry.models.tokenizer import open_tokenizer
from foundry.runtime.contract import Decoding
from foundry.runtime.transformers import TransformersRuntime
from foundry.train import fitting, proof
from foundry.train.adapters import lora
from foundry.train.batches import collate
from foundry.train.trainers import sft
from tests.cases import case, change
from tests.encoders import example
from tests.mutants import pad_masked_by_id, template_without_end
from tests.tiny_run import Setup, fast, open_run

STEPS = 200
FEW = lora.Spec(rank=4, alpha=8, target_modules=("o_proj", "down_proj"))  # enough, and quick
ANSWER = "可以，請攜帶證件。"


@pytest.fixture
def pad_is_the_end(tiny_llama: Path, tmp_path: Path) -> Path:
    """The tiny Llama with its turn's end for a pad token, as in the reports."""
    folder = shutil.copytree(tiny_llama, tmp_path / "pad-is-the-end")
    tokenizer = open_tokenizer(folder)
    tokenizer.pad_token = "<|eot_id|>"
    tokenizer.save_pretrained(folder)
    return folder


def check_stop(folder: Path, row: Example, path: Path) -> None:
    """Learn one row for 200 steps; its answer comes back to the last token, and no more."""
    inputs = open_run(Setup(folder, STEPS, 1, FEW, [row]), path)
    (encoded,) = inputs.rows
    answer = tuple(label for label in encoded.labels if label != IGNORED)

    sft.fit(inputs, fast(STEPS, global_batch_size=1))

    runtime = TransformersRuntime(inputs.model.eval(), inputs.tokenizer)
    prompt = encoded.input_ids[: -len(answer)]
    (made,) = runtime.generate([prompt], Decoding(4 * len(answer), tuple(inputs.stop_ids)))
    assert made.stopped
    assert len(made.ids) == len(answer)
    assert made.text == row.answer


def unproven(patch: pytest.MonkeyPatch) -> None:
    """The end is masked by its id, and no proof looks at what was trained."""
    patch.setattr(fitting, "probe_loss", lambda *_: {})
    patch.setattr(proof, "check_seen", lambda *_: {})
    patch.setattr(collate, "flat", pad_masked_by_id.masking)


@case(
    "C01",
    {
        "the pad is masked by its id": pad_masked_by_id.in_the_collator,
        "and nobody looks": unproven,
    },
)
def test_answer_learned_with_pad_as_end_stops_by_itself(pad_is_the_end: Path, tmp_path: Path):
    check_stop(pad_is_the_end, example("可以代辦嗎？", ANSWER), tmp_path / "run")


supervise = tokenize.supervise


def unended(ids: Any, tokens: Any, masked: Any, control: Any = ()) -> list[int]:
    """The last token of an answer is not supervised."""
    labels = supervise(ids, tokens, masked)
    last = max(n for n, label in enumerate(labels) if label != IGNORED)
    return [*labels[:last], IGNORED, *labels[last + 1 :]]


@case(
    "C02",
    {
        "no turn is ended": change(tokenize, "chat_template", template_without_end.without_end),
        "the last turn is not ended": change(
            tokenize, "chat_template", template_without_end.end_before_the_next_turn
        ),
        "the end is not supervised": change(tokenize, "supervise", unended),
    },
)
def test_instruction_learned_stops_by_itself(tiny_llama: Path, tmp_path: Path):
    row = {"instruction": "可以代辦嗎？", "output": ANSWER}
    turns = instruction.to_draft(row, instruction.Spec(input=None)).turns

    check_stop(tiny_llama, Example("row-2", tuple(turns), "rows.jsonl", 2, "row-2"), tmp_path)
