"""A head that is the embedding stays it, from the first step to the file (C31)."""

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from foundry.train import proof
from foundry.train.adapter_files import load_tuned
from foundry.train.adapters import full
from foundry.train.trainers import sft
from tests.cases import case, change
from tests.tiny_run import Setup, fast, open_run

attach = full.attach


def parted(model: Any, spec: Any) -> Any:
    """The fault: head and embedding are trained as two copies of a model that ties them."""
    made = attach(model, spec)
    head = made.get_output_embeddings()
    head.weight = torch.nn.Parameter(head.weight.detach().clone())
    return made


@case("C31", {"head and embedding are two copies": change(full, "attach", parted)})
def test_tied_model_is_one_matrix_when_all_is_trained(tiny_gemma3: Path, tmp_path: Path):
    inputs = open_run(Setup(tiny_gemma3, 5, adapter=full.Spec(), method=full), tmp_path)

    sft.fit(inputs, fast(5))

    folder = inputs.run.file("model")
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    assert "lm_head.weight" not in load_file(folder / "model.safetensors")
    assert config["tie_word_embeddings"] is True
    again, prefixes = load_tuned(inputs.base, folder), proof.probe_prefixes(inputs.rows)
    assert again.get_output_embeddings().weight is again.get_input_embeddings().weight
    live = proof.next_logits(inputs.model, prefixes)
    assert torch.allclose(proof.next_logits(again, prefixes), live, atol=1e-5)
