"""Multimodal classes trained on text alone: Gemma 3's, which TAIDE is (C22, C40)."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from foundry.core.errors import ProofError
from foundry.core.records import BaseModel
from foundry.models import language_part
from foundry.models.fetch import locate
from foundry.models.language_part import language_tensors
from foundry.models.load import load_model
from foundry.models.quiet import quiet
from foundry.train import adapter_files, proof, steps
from foundry.train.adapter_files import CONFIG, WEIGHTS, load_tuned
from foundry.train.batches import collate
from foundry.train.batches.collate import flat
from foundry.train.trainers import sft
from tests import tiny
from tests.cases import case, change
from tests.tiny_run import Setup, fast, open_run

TARGETS = {"q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"}
PROMPT = [0, 100, 101]


@pytest.fixture(scope="module")
def wrapper(one_thread: None, tmp_path_factory: pytest.TempPathFactory) -> BaseModel:
    """A tiny `Gemma3ForConditionalGeneration`."""
    folder = tmp_path_factory.mktemp("models") / "wrapper"
    return locate(str(tiny.build(folder, "gemma3-conditional")), Path())


@pytest.fixture(scope="module")
def text(wrapper: BaseModel, tmp_path_factory: pytest.TempPathFactory) -> BaseModel:
    """The same weights as a `Gemma3ForCausalLM`."""
    folder = tiny.build(tmp_path_factory.mktemp("models") / "text", "gemma3")
    same = dict(language_tensors(load_model(wrapper)))
    stored = load_file(folder / "model.safetensors")
    assert set(stored) | {"lm_head.weight"} == set(same)  # the head is the embedding
    save_file({name: same[name] for name in stored}, folder / "model.safetensors", {"format": "pt"})
    whole = json.loads(Path(wrapper.folder, "config.json").read_text(encoding="utf-8"))
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    config["rope_parameters"] = whole["text_config"]["rope_parameters"]
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    return locate(str(folder), Path())


def images(rows: Any, *, zeros: Any = (), by_row: bool = False) -> dict[str, Any]:
    batch = flat(rows, zeros=zeros, by_row=by_row)
    return {**batch, **{name: torch.ones_like(batch[name]) for name in zeros}}


@case(
    "C22",
    {
        "nothing is said of the tokens": change(steps, "token_type_inputs", lambda model: ()),
        "the text is taken for an image": change(collate, "flat", images),
        "the vision tower is adapted too": change(language_part, "other_parts", lambda model: None),
    },
)
def test_class_for_images_trains_on_text_as_the_class_for_text(
    wrapper: BaseModel, text: BaseModel, tmp_path: Path
):
    setup = Setup(Path(wrapper.folder), steps=2)
    inputs = open_run(setup, tmp_path)
    alone = proof.reference_loss(load_model(text), proof.uneven(inputs.rows, 4))
    given = list[torch.Tensor]()
    inputs.model.get_base_model().register_forward_pre_hook(
        lambda module, args, named: given.append(named.get("token_type_ids")), with_kwargs=True
    )
    updates = [n for n, p in inputs.model.named_parameters() if p.requires_grad]
    assert {name.split(".")[-4] for name in updates} == TARGETS
    assert all(".language_model.layers." in name for name in updates)

    result = sft.fit(inputs, fast(2, warmup_ratio=0.0))

    assert result.steps == 2
    assert result.proof["loss"]["trainer"] == pytest.approx(alone, rel=1e-6)
    said = [tensor for tensor in given if tensor is not None]
    assert said
    assert not any(tensor.any() for tensor in said)


def test_layers_named_in_a_recipe_are_those_of_the_language_part(wrapper: BaseModel):
    from foundry.train.adapters import lora

    model = load_model(wrapper)  # its vision tower has a `q_proj`, too
    with quiet():
        adapted = lora.attach(model, lora.Spec(target_modules=("q_proj",)))

    names = {name for name, p in adapted.named_parameters() if p.requires_grad}
    assert len(names) == 4
    assert all(".language_model.layers." in name for name in names)


@pytest.fixture(scope="module")
def adapters(
    wrapper: BaseModel, text: BaseModel, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Path]:
    """An adapter trained on each of the two classes."""
    made = {}
    for base in (wrapper, text):
        inputs = open_run(Setup(Path(base.folder), steps=3), tmp_path_factory.mktemp("run"))
        sft.fit(inputs, fast(3))
        made[Path(base.folder).name] = inputs.run.file("adapter")
    return made


def as_others_write(adapter: Path, folder: Path) -> Path:
    """A copy that names its layers by their last names, which both classes have."""
    shutil.copytree(adapter, folder)
    config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    config |= {"target_modules": sorted(TARGETS), "exclude_modules": None}
    (folder / CONFIG).write_text(json.dumps(config), encoding="utf-8")
    return folder


@case(
    "C40",
    {"names are not compared": change(adapter_files, "_check_placed", lambda *arguments: None)},
)
def test_adapter_of_the_other_class_is_refused_by_the_names_of_its_tensors(
    wrapper: BaseModel, text: BaseModel, adapters: dict[str, Path], tmp_path: Path
):
    for base, other in ((wrapper, "text"), (text, "wrapper")):
        adapter = as_others_write(adapters[other], tmp_path / other)
        for folder in (adapters[other], adapter):
            with pytest.raises(ProofError, match=r"no place in the model: base_model\.model\."):
                load_tuned(base, folder)


def test_adapter_of_the_own_class_has_a_place_for_every_tensor(
    wrapper: BaseModel, text: BaseModel, adapters: dict[str, Path]
):
    for base, name in ((wrapper, "wrapper"), (text, "text")):
        tuned = load_tuned(base, adapters[name])

        stored = load_file(adapters[name] / WEIGHTS)
        assert len(stored) == 2 * 2 * len(TARGETS)  # two layers, A and B
        with tuned.disable_adapter():
            plain = proof.next_logits(tuned, [PROMPT])
        assert (proof.next_logits(tuned, [PROMPT]) - plain).abs().max() > 1e-3
