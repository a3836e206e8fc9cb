"""A real adapter with noise in its weights is found to be worse at 200 questions; itself is not."""

import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from foundry.core.records import Turn
from foundry.delivery.artefact import Tuned
from foundry.evals import asking
from foundry.evals.answering import Sheet, ask
from foundry.evals.answers import Item
from foundry.evals.arms import pairs
from foundry.runtime.contract import Decoding
from foundry.train.adapter_files import WEIGHTS
from tests.cases import case, change
from tests.evals.arms.made import Made, make_run
from tests.tiny_recipe import call
from tests.tiny_run import ROWS, Trained

NOISE = 0.3  # of each tensor's own spread; from 0.5 on the tiny model says hardly anything right
# What was trained, and the same with up to 24 question marks more.
ITEMS = [
    Item(
        replace(row, id=key, group=key, messages=(Turn("user", question), row.messages[1])), "test"
    )
    for n in range(25)
    for row in ROWS
    for key, question in [(f"{row.id}-{n:02}", row.messages[0].content + "？" * n)]
]


def with_noise(adapter: Path, folder: Path) -> Path:
    """A copy of the adapter, every tensor with Gaussian noise."""
    import torch
    from safetensors.torch import load_file, save_file

    shutil.copytree(adapter, folder)
    draw = torch.Generator().manual_seed(0)
    tensors = {
        name: one + NOISE * one.std() * torch.randn(one.shape, generator=draw)
        for name, one in load_file(folder / WEIGHTS).items()
    }
    save_file(tensors, folder / WEIGHTS, {"format": "pt"})
    return folder


def answers_of(tuned: Tuned, file: Path) -> Mapping[str, str]:
    """What base and adapter, loaded from disk, say to every question."""
    from foundry.runtime.transformers import TransformersRuntime

    asked = asking.in_template(tuned.encoder, ITEMS, "tuned", Decoding(20, tuned.stop_ids))
    runtime = TransformersRuntime(tuned.model, tuned.encoder.tokenizer, batch_size=100)
    column = ask(runtime, ITEMS, asked, Sheet(file, file.name, lambda *_: None))
    return {key: answer.text for key, answer in column.answers.items()}


@pytest.fixture(scope="module")
def said(
    trained_llama: Trained, tmp_path_factory: pytest.TempPathFactory
) -> Mapping[str, Mapping[str, str]]:
    """The answers of the adapter, of its copy, and of its copy with noise."""
    folder, tuned = tmp_path_factory.mktemp("noise"), trained_llama.tuned
    adapters = {
        "noisy-0": with_noise(tuned.adapter, folder / "noisy"),
        "good-1": tuned.adapter,
        "again-2": Path(shutil.copytree(tuned.adapter, folder / "again")),
    }
    return {
        name: answers_of(replace(tuned, adapter=adapter), folder / f"{name}.jsonl")
        for name, adapter in adapters.items()
    }


@case(
    "noise",
    {
        "nothing differs": change(pairs, "verdict", lambda found, *, level=0.95: "NO DIFFERENCE"),
        "all differ": change(pairs, "verdict", lambda found, *, level=0.95: "WORSE"),
        "items are not compared": change(
            pairs.Field, "rows", lambda field, arm: [[1.0] * len(field.ids)]
        ),
    },
)
def test_noise_in_an_adapter_is_found_and_the_same_adapter_is_no_difference(said, tmp_path: Path):
    made = Made(evals=({"kind": "exact-match"},))
    for name, answers in said.items():
        make_run(tmp_path, name, lambda item, of=answers: of[item.example.id], made, ITEMS)

    outcome = call("compare", *said, "--runs", str(tmp_path), "--json")

    assert outcome.code == 0, outcome
    found = {(one["a"], one["b"]): one for one in outcome.document["differences"]}
    assert {pair: one["verdict"] for pair, one in found.items()} == {
        ("noisy-0", "good-1"): "WORSE",
        ("noisy-0", "again-2"): "WORSE",
        ("good-1", "again-2"): "NO DIFFERENCE",
    }
    right = {
        name: sum(answers[item.example.id] == item.example.answer for item in ITEMS)
        for name, answers in said.items()
    }
    worse, same = found["noisy-0", "good-1"], found["good-1", "again-2"]
    assert worse["mean"] == (right["noisy-0"] - right["good-1"]) / 200 < 0
    assert worse["high"] < 0 and worse["p_value"] < 0.01
    assert (same["mean"], same["ties"]) == (0.0, 200)
