"""How tensors and metadata get into a GGUF file."""

import tracemalloc
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
import torch

from foundry.core.errors import ResourceError
from foundry.core.records import BaseModel
from foundry.delivery import gguf_files, gguf_tokenizer
from foundry.delivery.artefact import Tuned
from foundry.delivery.gguf_files import (
    gguf_tensors,
    mapped,
    name_map,
    storage,
    write_model,
)
from foundry.delivery.gguf_tokenizer import CONTROL, tokenizer_fields
from foundry.delivery.parity import gguf_facts
from foundry.models.families import gemma3, llama
from foundry.models.load import load_model
from foundry.models.tokenizer import open_tokenizer
from tests.cases import case, change
from tests.delivery.gguf_content import tensors
from tests.delivery.shelf import Shelf
from tests.encoders import tiny_encoder

fields_of, merged = tokenizer_fields, Tuned.freshly_merged

Q8_0, F16, F32 = (gguf.GGMLQuantizationType[name] for name in ("Q8_0", "F16", "F32"))


@pytest.mark.parametrize(
    ("shape", "wanted", "stored"),
    [
        ((64,), Q8_0, F32),
        ((64,), F16, F32),
        ((3, 64), Q8_0, Q8_0),
        ((3, 64), F16, F16),
        ((3, 48), Q8_0, F16),  # 48 does not divide into blocks of 32
    ],
)
def test_storage_follows_the_shape(shape: tuple[int, ...], wanted, stored):
    assert storage(np.zeros(shape, np.float32), wanted) == stored


def test_tensor_without_a_place_is_named():
    names = name_map("llama", 2)

    assert mapped(names, "model.layers.1.mlp.up_proj.weight") == "blk.1.ffn_up.weight"
    with pytest.raises(ResourceError, match=r"llama\.cpp has no place for this tensor") as error:
        mapped(names, "model.layers.1.mlp.extra.weight")
    assert error.value.problems[0].where == "model.layers.1.mlp.extra.weight"


def test_every_weight_has_a_place_of_its_own(llama_shelf: Shelf):
    tuned = llama_shelf.tuned

    names = [name for name, _ in gguf_tensors(tuned, load_model(tuned.base))]

    assert len(names) == len(set(names)) == 2 * 9 + 3  # nine per layer, embedding, norm, head


def test_rows_of_query_and_key_are_interleaved_for_llama(llama_shelf: Shelf):
    model = load_model(llama_shelf.tuned.base)
    config = model.config  # four heads of 16 rows, two for the keys
    rows = np.arange(64, dtype=np.float32)[:, None]

    query = llama.to_gguf("model.layers.0.self_attn.q_proj.weight", rows, config)[:, 0]
    key = llama.to_gguf("model.layers.0.self_attn.k_proj.weight", rows[:32], config)[:, 0]
    value = llama.to_gguf("model.layers.0.self_attn.v_proj.weight", rows[:32], config)[:, 0]

    # Halves of a head become neighbours: 0, 8, 1, 9, … and the next head after it.
    assert query[:6].tolist() == [0, 8, 1, 9, 2, 10]
    assert query[16:20].tolist() == [16, 24, 17, 25]
    assert key[16:20].tolist() == [16, 24, 17, 25]
    assert value.tolist() == rows[:32, 0].tolist()


def test_gemma_norms_are_stored_plus_one():
    weight = np.array([0.5], np.float32)

    assert gemma3.to_gguf("model.layers.0.input_layernorm.weight", weight, None) == 1.5
    assert gemma3.to_gguf("model.layers.0.mlp.up_proj.weight", weight, None) == 0.5


def test_altered_tensor_is_measured(llama_shelf: Shelf, tmp_path: Path):
    tuned, model = llama_shelf.tuned, llama_shelf.tuned.freshly_merged()
    model.model.layers[1].mlp.up_proj.weight.data[0, 0] += 0.5

    write_model(tuned, model, tmp_path / "model.gguf", quantization="f16")

    assert gguf_facts(tuned, tmp_path / "model.gguf")["tensor_difference"] > 10


def test_tensor_that_is_not_a_number_is_measured(llama_shelf: Shelf, tmp_path: Path):
    tuned, model = llama_shelf.tuned, llama_shelf.tuned.freshly_merged()
    model.model.layers[1].mlp.up_proj.weight.data[0, 0] = float("nan")

    write_model(tuned, model, tmp_path / "model.gguf", quantization="f16")

    assert gguf_facts(tuned, tmp_path / "model.gguf")["tensor_difference"] == float("inf")


@pytest.mark.parametrize("row", [0, 63, 639])
def test_embedding_is_compared_to_its_last_row(
    llama_shelf: Shelf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, row: int
):
    monkeypatch.setattr(gguf_files, "ROWS_AT_ONCE", 50)
    tuned, model = llama_shelf.tuned, llama_shelf.tuned.freshly_merged()
    write_model(tuned, model, tmp_path / "right.gguf", quantization="q8_0")
    model.get_input_embeddings().weight.data[row, 1] += 2.0
    write_model(tuned, model, tmp_path / "wrong.gguf", quantization="q8_0")

    assert gguf_facts(tuned, tmp_path / "right.gguf")["tensor_difference"] <= 1.0
    assert gguf_facts(tuned, tmp_path / "wrong.gguf")["tensor_difference"] > 10


@pytest.mark.parametrize("quantization", ["f16", "q8_0"])
def test_file_is_written_and_compared_a_tensor_at_a_time(
    llama_shelf: Shelf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, quantization: str
):
    rows = np.linspace(0.5, 1, 2**20, dtype=np.float32).reshape(-1, 64)  # 4 MiB, 16 times
    many = [(f"blk.{n}.ffn_up.weight", rows) for n in range(16)]
    monkeypatch.setattr(gguf_files, "gguf_tensors", lambda tuned, model: iter(many))
    path, tuned = tmp_path / "model.gguf", llama_shelf.tuned
    live = tuned.merged
    tracemalloc.start()

    write_model(tuned, live, path, quantization=quantization)
    record = gguf_facts(tuned, path)

    _now, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert record["tensor_difference"] <= 1.0
    assert most < path.stat().st_size


@pytest.mark.parametrize("change", ["one missing", "one too many"])
def test_other_set_of_tensors_is_measured(llama_shelf: Shelf, tmp_path: Path, change: str):
    source = llama_shelf.folder("gguf-f16") / "model.gguf"
    writer = gguf.GGUFWriter(tmp_path / "model.gguf", "llama")
    for tensor in gguf.GGUFReader(source).tensors:
        if not (change == "one missing" and tensor.name == "blk.1.ffn_up.weight"):
            writer.add_tensor(tensor.name, np.array(tensor.data))
    if change == "one too many":
        writer.add_tensor("blk.9.ffn_up.weight", np.zeros((2, 2), np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()

    facts = gguf_facts(llama_shelf.tuned, tmp_path / "model.gguf")

    assert facts["tensor_difference"] == float("inf")


def test_stored_values_are_the_merged_weights(llama_shelf: Shelf):
    model = llama_shelf.tuned.freshly_merged()

    stored = tensors(llama_shelf.folder("gguf-q8_0") / "model.gguf")

    values, kind = stored["blk.0.ffn_down.weight"]
    weight = model.model.layers[0].mlp.down_proj.weight.detach().numpy()
    assert kind == Q8_0
    # Half a step of 8 bits in the block with the largest element.
    assert np.abs(values - weight).max() <= np.abs(weight).max() / 127 / 2 * 1.01


def test_vocabulary_is_filled_up_to_the_rows_of_the_matrix(llama_shelf: Shelf):  # C33, C34
    tokenizer = tiny_encoder("llama").tokenizer

    fields = tokenizer_fields(llama_shelf.tuned.base, tokenizer, 640)

    tokens, kinds = fields["tokenizer.ggml.tokens"], fields["tokenizer.ggml.token_type"]
    assert len(tokens) == len(set(tokens)) == len(kinds) == 640
    assert tokens[639] == "[PAD639]"
    assert [tokens[n] for n, kind in enumerate(kinds) if kind == 3] == list(
        tiny_encoder("llama").special
    )


def padded_matrix(more: int) -> tuple[Any, int]:
    """The tiny tokenizer with added tokens, and 24 rows beyond its own."""
    tokenizer = tiny_encoder("llama").tokenizer
    rows = len(tokenizer) + 24
    tokenizer.add_special_tokens(
        {"additional_special_tokens": [f"<|added_{n}|>" for n in range(more)]}
    )
    return tokenizer, rows


def unfilled(base: BaseModel, tokenizer: Any, rows: int) -> dict[str, Any]:
    """The fault: as many tokens as the tokenizer has."""
    return fields_of(base, tokenizer, len(tokenizer))


@case("C34", {"as many as the tokenizer has": change(gguf_files, "tokenizer_fields", unfilled)})
@pytest.mark.parametrize("more", [4, 20])
def test_every_row_has_a_token_and_an_added_one_is_itself(llama_shelf: Shelf, more: int):
    tokenizer, rows = padded_matrix(more)

    fields = gguf_files.tokenizer_fields(llama_shelf.tuned.base, tokenizer, rows)

    tokens, kinds = fields["tokenizer.ggml.tokens"], fields["tokenizer.ggml.token_type"]
    added = [f"<|added_{n}|>" for n in range(more)]
    assert (len(tokens), len(kinds)) == (rows, rows)
    for text in added:
        (number,) = tokenizer(text, add_special_tokens=False)["input_ids"]
        assert (tokens[number], kinds[number]) == (text, CONTROL)


def guessed(_pre_tokenizer: Mapping[str, Any]) -> str:
    """The fault: what is not recognised is taken for another."""
    return "gpt-2"


@case("C35", {"what is not known is guessed": change(gguf_tokenizer, "name_of", guessed)})
def test_tokenizer_with_one_token_more_is_still_what_it_was(llama_shelf: Shelf, tmp_path: Path):
    tokenizer, rows = padded_matrix(1)
    tokenizer.save_pretrained(tmp_path)

    fields = gguf_files.tokenizer_fields(llama_shelf.tuned.base, open_tokenizer(tmp_path), rows)

    assert fields["tokenizer.ggml.pre"] == "llama-bpe"
    assert "<|added_0|>" in fields["tokenizer.ggml.tokens"]


def shrunk(tuned: Tuned) -> Any:
    """The fault: the matrix gets as many rows as the tokenizer has tokens."""
    model = merged(tuned)
    model.resize_token_embeddings(len(tuned.encoder.tokenizer))
    return model


@case("C33", {"cut to the tokenizer": change(Tuned, "freshly_merged", shrunk)})
def test_merging_keeps_the_rows_beyond_the_tokenizer(llama_shelf: Shelf):
    base = load_model(llama_shelf.tuned.base).get_input_embeddings().weight
    tuned = replace(llama_shelf.tuned)

    made = tuned.freshly_merged()

    found = made.get_input_embeddings().weight
    assert len(tuned.encoder.tokenizer) < len(base) == made.config.vocab_size
    assert found.shape == base.shape
    assert torch.equal(found, base)


def test_model_without_bos_declares_none(llama_shelf: Shelf):  # C09
    tokenizer = tiny_encoder("llama").tokenizer
    tokenizer.bos_token = None

    fields = tokenizer_fields(llama_shelf.tuned.base, tokenizer, 640)

    assert "tokenizer.ggml.bos_token_id" not in fields
    assert "tokenizer.ggml.add_bos_token" not in fields


def test_unknown_splitting_pattern_is_refused_not_guessed(llama_shelf: Shelf):  # C35
    from tokenizers import Regex, pre_tokenizers

    tokenizer = tiny_encoder("llama").tokenizer
    tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(r"\s+"), "isolated")

    with pytest.raises(ResourceError, match="the tokenizer's kind is not known"):
        tokenizer_fields(llama_shelf.tuned.base, tokenizer, 640)


def test_step_before_a_known_pattern_makes_it_unknown(llama_shelf: Shelf):  # C35
    from tokenizers import pre_tokenizers

    tokenizer = tiny_encoder("llama").tokenizer
    known = tokenizer.backend_tokenizer.pre_tokenizer
    digits = pre_tokenizers.Digits(individual_digits=True)
    tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizers.Sequence([digits, *known])

    with pytest.raises(ResourceError, match="the tokenizer's kind is not known"):
        tokenizer_fields(llama_shelf.tuned.base, tokenizer, 640)


def test_tokenizer_that_is_no_bpe_is_refused(llama_shelf: Shelf):  # C35
    from tokenizers import Tokenizer, models
    from transformers import PreTrainedTokenizerFast

    words = Tokenizer(models.WordLevel({"a": 0, "</s>": 1}, unk_token="a"))
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=words, eos_token="</s>")

    with pytest.raises(ResourceError, match="the tokenizer's kind is not known"):
        tokenizer_fields(replace(llama_shelf.tuned.base, name="x"), tokenizer, 2)
