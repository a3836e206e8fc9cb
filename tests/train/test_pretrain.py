"""Continued pre-training: texts in sequences of one length, every token learned, none crossed."""

import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load

from foundry.core.records import EncodedRow, Example
from foundry.encode.tokenize import IGNORED, open_encoder
from foundry.models.fetch import locate
from foundry.train import fitting
from foundry.train.batches import documents
from foundry.train.batches.documents import best_fit
from foundry.train.inputs import FitInputs
from foundry.train.trainers import pretrain
from tests import tiny_recipe
from tests.cases import case, change
from tests.encoders import encode_all
from tests.end_to_end.test_preferences import DELIVERED, FILES
from tests.support import covers
from tests.tiny_recipe import TinyRecipe
from tests.tiny_run import Setup, adapter_bytes, metrics, open_run

LENGTHS = random.Random(0).choices(range(1, 65), k=300)
TEXTS = ["電風扇保固一年。", "The fan costs 300 dollars and has a warranty of one year.", "售價"]
TEXTS += ["品名：電風扇 售價：300元 保固：1年 顏色：白色 產地：台灣"] * 2
LIMIT = 12


def test_every_document_is_in_one_sequence_of_no_more_than_its_tokens():
    made = best_fit(LENGTHS, max_seq_len=64)

    assert sorted(index for sequence in made for index in sequence) == list(range(len(LENGTHS)))
    filled = [sum(LENGTHS[index] for index in sequence) for sequence in made]
    assert max(filled) <= 64
    assert len(made) <= 11 / 9 * -(-sum(LENGTHS) // 64) + 4  # the bound of best fit


def test_document_goes_where_it_leaves_the_least_room():
    # 6 and 5 open sequences; 4 fits both and fills the first, 3 and 2 fill the second.
    assert best_fit([2, 3, 4, 5, 6], max_seq_len=10) == [[4, 2], [3, 1, 0]]


def texts() -> list[Example]:
    return [
        Example(f"text-{n}", (), "texts.csv", n + 2, f"text-{n}", text=text)
        for n, text in enumerate(TEXTS)
    ]


@pytest.fixture(params=["tiny_llama", "tiny_gemma3"])
def folder(request: pytest.FixtureRequest) -> Path:
    made: Path = request.getfixturevalue(request.param)
    return made


def rows_of(folder: Path) -> list[EncodedRow]:
    encoder = open_encoder(locate(str(folder), Path()))
    return encode_all(texts(), encoder, max_seq_len=LIMIT, overlong="split")[0]


def fitted(folder: Path, path: Path, rows: list[EncodedRow], **setup: Any) -> FitInputs:
    inputs = open_run(Setup(folder, 4, micro_batch_size=2, **setup), path)
    lengths = [len(row.input_ids) for row in rows]
    sequences = pretrain.sequences(lengths, max_seq_len=LIMIT)
    inputs = replace(inputs, rows=rows, sequences=sequences, stop_ids=())
    spec = pretrain.Spec(max_steps=4, learning_rate=1e-2, global_batch_size=2)
    pretrain.fit(inputs, spec)
    return inputs


def test_every_token_is_learned_but_the_first_and_the_end_is(folder: Path):
    encoder = open_encoder(locate(str(folder), Path()))
    rows = rows_of(folder)

    assert len(rows) > len(TEXTS)  # long ones became windows
    for row in rows:
        assert row.labels[1:] == row.input_ids[1:]
    ends = [row.labels[-1] for row in rows]
    assert ends.count(encoder.tokenizer.eos_token_id) == len(TEXTS)


def by_hand(model: Any, rows: list[EncodedRow]) -> float:
    total, count = 0.0, 0
    for row in rows:
        with torch.no_grad():
            logits = model(input_ids=torch.tensor([row.input_ids])).logits[0].double()
        logprobs = logits.log_softmax(-1)
        for position, token in enumerate(row.input_ids[1:]):
            total -= float(logprobs[position, token])
            count += 1
    return total / count


def first_of_a_place(places: Any) -> dict[str, Any]:
    return {"rows": [place["rows"][0] for place in places]}


def glued(places: Any) -> dict[str, Any]:
    """The documents of a sequence become one text, and each sees the one before."""
    rows = []
    for place in places:
        ids = [token for row in place["rows"] for token in row["input_ids"]]
        rows.append({"id": place["rows"][0]["id"], "input_ids": ids, "labels": [IGNORED, *ids[1:]]})
    return {"rows": rows}


def one_by_one(lengths: Any, *, max_seq_len: int) -> list[list[int]]:
    return [[index] for index in range(len(lengths))]


@case(
    "C14",
    {
        "a sequence is its first document": change(fitting, "_rows_of_a_step", first_of_a_place),
        "documents see each other": change(fitting, "_rows_of_a_step", glued),
        "each document is a sequence": change(documents, "best_fit", one_by_one),
    },
)
def test_step_is_the_loss_of_every_token_of_its_documents_alone(folder: Path, tmp_path: Path):
    rows = rows_of(folder)
    untrained = open_run(Setup(folder), tmp_path / "before")
    inputs = open_run(Setup(folder, 3, micro_batch_size=2), tmp_path / "run")
    lengths = [len(row.input_ids) for row in rows]
    sequences = pretrain.sequences(lengths, max_seq_len=LIMIT)
    assert max(map(len, sequences)) > 1
    inputs = replace(inputs, rows=rows, sequences=sequences, stop_ids=())
    spec = pretrain.Spec(max_steps=3, learning_rate=1e-2, global_batch_size=len(sequences))

    result = pretrain.fit(inputs, spec)

    first = metrics(inputs.run)[0]
    assert first["tokens"] == sum(lengths)
    assert first["supervised_tokens"] == sum(lengths) - len(rows)
    # Float32 against float64.
    assert first["loss"] == pytest.approx(by_hand(untrained.model.eval(), rows), rel=1e-5)
    assert result.epochs == 3


def test_forward_passes_change_nothing(tiny_llama: Path, tmp_path: Path):
    rows = rows_of(tiny_llama)
    whole = fitted(tiny_llama, tmp_path / "whole", rows)
    small = fitted(tiny_llama, tmp_path / "small", rows, pack_tokens=16)
    alone = fitted(tiny_llama, tmp_path / "alone", rows, kind="single")

    expected = load(adapter_bytes(alone.run))
    for made in (whole, small):
        found = load(adapter_bytes(made.run))
        # Float32 sums in another order; AdamW divides by small gradients.
        assert max(float((found[n] - expected[n]).abs().max()) for n in expected) < 1e-4


LONG = "電風扇保固一年。售價三百元，" * 40


@pytest.fixture
def recipe(tiny_base: Path, tmp_path: Path) -> TinyRecipe:
    source = {"path": "texts.csv", "licence": "CC0-1.0"}
    source["declaration"] = {"basis": "own-work", "by": "a test"}
    made = tiny_recipe.lay_out(
        tmp_path / "tiny",
        tiny_base,
        data={"sources": [source], "format": {"kind": "text"}},
        encode={"max_seq_len": 64, "overlong": "split"},
        train={"kind": "pretrain", "max_steps": 12, "learning_rate": 1e-2, "global_batch_size": 2},
        exports=FILES,
        evals=[],
    )
    lines = ["text", *(text.replace(",", "，") for text in [*TEXTS, LONG])]
    (made.folder / "texts.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return made


@covers(lambda: [{"trainer": "pretrain", "exporter": one["kind"]} for one in FILES])
def test_recipe_of_texts_is_trained_proven_and_exported(recipe: TinyRecipe):
    outcome = recipe.train("--until", "export", "--json")

    assert outcome.code == 0, outcome.err
    assert set(outcome.document["parity"]) == DELIVERED
    mask = outcome.document["mask"]
    assert mask["rows"] > len(TEXTS) + 1  # the long text became windows
    assert outcome.document["proof"]["reload"]["largest_difference"] <= 1e-5
