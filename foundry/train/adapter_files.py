"""Save and load what was trained: an adapter folder in PEFT's layout, or a whole model's folder.

PEFT writes the base's absolute path, `revision: null`, target modules in random order and a
template card (engines.md 16); all four are put right here (C43). Whether a model is one or the
other is told by its class, and of a folder by the files in it.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from foundry.core import atomic
from foundry.core.errors import Problem, ProofError, ResourceError
from foundry.core.language import gettext as _
from foundry.core.records import BaseModel
from foundry.models import finite
from foundry.models.folder import check_folder
from foundry.models.load import Storage, load_model
from foundry.models.place import CPU, Place
from foundry.models.quiet import quiet
from foundry.models.reward_model import (
    HEAD,
    holds_reward_model,
    is_reward_model,
    load_reward_model,
)

CONFIG = "adapter_config.json"
WEIGHTS = "adapter_model.safetensors"
MOVING = ("pissa", "olora")


def save_adapter(
    model: Any,
    base: BaseModel,
    folder: Path,
    first: Mapping[str, Any] | None = None,
    state: Mapping[str, Any] | None = None,
) -> None:
    """Write the adapter of a PEFT model to `folder`, whole or not at all.

    Args:
        model: The trained model.
        base: Its base.
        folder: Where to.
        first: The trainable tensors before the first step; needed where they were taken out of
            the base's weights, see `on_original`.
        state: The model's state where the model itself holds but a part.
    """
    with quiet(), atomic.replacing_folder(folder) as temporary:
        # "auto" asks the hub for the base's vocabulary (C70); embeddings are not trained here.
        model.save_pretrained(temporary, save_embedding_layers=False, state_dict=state)
        (temporary / "README.md").unlink(missing_ok=True)
        config = json.loads((temporary / CONFIG).read_text(encoding="utf-8"))
        if moves_base(model):
            assert first is not None
            config |= on_original(temporary / WEIGHTS, first, config)
        config["base_model_name_or_path"] = base.hub_id or base.name
        config["revision"] = base.revision
        if isinstance(config["target_modules"], list):
            config["target_modules"].sort()
        atomic.write_json(temporary / CONFIG, config)


def moves_base(model: Any) -> bool:
    """Whether the update began as a part of the base's weights, which lack it since."""
    settings = model.peft_config["default"] if has_update(model) else None
    return getattr(settings, "init_lora_weights", True) in MOVING


def on_original(weights: Path, first: Mapping[str, Any], config: Any) -> dict[str, Any]:
    """Rewrite an update that began as a part of the base as one that stands on the whole base.

    With A and B trained from A0 and B0, and the base less s·B0·A0, the model is the base with
    s·(B·A - B0·A0), an update of twice the rank (engines.md 6).

    Args:
        weights: The saved tensors; replaced.
        first: A0 and B0 by the model's names.
        config: The saved configuration.

    Returns:
        What changes in the configuration.
    """
    import torch
    from safetensors.torch import load_file, save_file

    before = {name.replace(".default.", "."): tensor for name, tensor in first.items()}
    made = {}
    for name, tensor in load_file(weights).items():
        if ".lora_A." in name:
            made[name] = torch.cat([tensor, before[name].to(tensor.dtype)]).contiguous()
        elif ".lora_B." in name:
            made[name] = torch.cat([tensor, -before[name].to(tensor.dtype)], dim=1).contiguous()
        else:  # a reward head, which was no part of the base
            made[name] = tensor
    save_file(made, weights, metadata={"format": "pt"})
    twice = {key: 2 * config[key] for key in ("r", "lora_alpha")}
    return {**twice, "init_lora_weights": True}


def save_whole(
    model: Any, tokenizer: Any, folder: Path, state: Mapping[str, Any] | None = None
) -> None:
    """Write a model with all its weights, in safetensors, and its tokenizer.

    Args:
        model: Its weights are written, unless `state` holds them.
        tokenizer: Of the model.
        folder: Is replaced.
        state: The weights of a model that each process holds a part of.
    """
    with quiet(), atomic.replacing_folder(folder) as temporary:
        model.save_pretrained(temporary, state_dict=state)
        tokenizer.save_pretrained(temporary)


@contextmanager
def own_names(model: Any) -> Iterator[None]:
    """Inside, a whole model is saved under the names that it has here.

    transformers 5.24 gives tensors back the names that its file had (`save_original_format`), which
    are others for Gemma 3's, Mistral 3's and Qwen 3.5's classes that also see; the Trainer then
    reads a checkpoint by the names of the model, finds none, and goes on with what it has.
    """
    if has_update(model):
        yield
        return
    before = getattr(model, "_weight_conversions", None)
    model._weight_conversions = []
    try:
        yield
    finally:
        model._weight_conversions = before


def check_loaded(model: Any, missing: Sequence[str], unexpected: Sequence[str]) -> None:
    """Refuse a checkpoint that does not give every weight.

    Args:
        model: The whole model that was read into.
        missing: Names that it has and the file has not; of tied weights one name is enough.
        unexpected: Names that only the file has.

    Raises:
        ResourceError: Names some of them.
    """
    held = model.state_dict(keep_vars=True)
    given = {id(held[name]) for name in held.keys() - set(missing)}
    lost = [name for name in missing if id(held[name]) not in given]
    if lost or unexpected:
        what = _("the weights in the checkpoint are not those of this model ({names})")
        names = ", ".join([*lost, *unexpected][:3])
        fix = _("remove the run's `checkpoints` to train from the start")
        raise ResourceError(Problem("checkpoints", what.format(names=names), fix))


def has_update(model: Any) -> bool:
    """Whether an update lies beside the weights, which are the base's own."""
    from peft import PeftModel

    return isinstance(model, PeftModel)


def without_update(model: Any) -> Any:
    """The transformers model, inside which an update may lie."""
    return model.get_base_model() if has_update(model) else model


def merge(model: Any) -> Any:
    """The model with its update added to the weights; itself where they were trained."""
    return model.merge_and_unload() if has_update(model) else model


@contextmanager
def untrained(model: Any, base: BaseModel, place: Place = CPU) -> Iterator[Any]:
    """The model as it was before training; read from the base anew where its weights changed."""
    if not has_update(model) or moves_base(model):
        fresh = load_reward_model if is_reward_model(without_update(model)) else load_model
        yield fresh(base, place=place)
        return
    with model.disable_adapter():
        yield model


def load_tuned(
    base: BaseModel, folder: Path, *, storage: Storage = "full", place: Place = CPU
) -> Any:
    """The original base with the adapter of `folder`, or the whole model in it, to evaluate.

    Args:
        base: Which model was trained.
        folder: What was saved of it.
        storage: How the base under an adapter is held; what is delivered stands on a full one.
        place: Where it lies.

    Raises:
        ResourceError: The folder holds what is not opened (C73, C74).
        ProofError: A tensor of the file found no place in the model, or the other way (C40).
    """
    check_folder(folder)
    opened = load_reward_model if says_reward(folder) else load_model
    if not (folder / CONFIG).is_file():
        return opened(base, folder=folder, place=place)
    check_finite(folder / WEIGHTS)
    model = opened(base, storage=storage, place=place)
    with quiet():
        from peft import PeftModel, get_peft_model_state_dict
        from safetensors.torch import load_file

        saved = set(load_file(folder / WEIGHTS))
        _check_head(model, saved, folder.name)
        try:
            # PEFT would read the file onto a GPU wherever there is one.
            tuned = PeftModel.from_pretrained(
                model, folder, is_trainable=False, torch_device=place.name
            )
        except ValueError as error:  # so PEFT says that no layer has a name that the adapter wants
            raise _lost(saved, folder.name) from error
        placed = set(get_peft_model_state_dict(tuned, save_embedding_layers=False))
    _check_placed(saved, placed, folder.name)
    return tuned.eval()


def says_reward(folder: Path) -> bool:
    """Whether what was saved in a folder is a reward model, or an adapter of one."""
    if not (folder / CONFIG).is_file():
        return holds_reward_model(folder)
    config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    return bool(config["task_type"] == "SEQ_CLS")


def check_finite(path: Path) -> None:
    """Refuse a file of weights that are no numbers, before a model is loaded or a file packed.

    Raises:
        ProofError: Names the file and its tensors.
    """
    broken = finite.non_finite_in(path)
    if broken:
        raise ProofError(finite.problem(str(path), broken, _("do not use this file; train again")))


def _check_head(model: Any, saved: set[str], name: str) -> None:
    """A reward model's head is in the file: the one that begins a training must not stand in."""
    if is_reward_model(model) and not any(key.endswith(f".{HEAD}.weight") for key in saved):
        what = _("the adapter lacks the reward head ({head})").format(head=f"{HEAD}.weight")
        raise ProofError(Problem(name, what, _("do not use this file; train again")))


def _check_placed(saved: set[str], placed: set[str], name: str) -> None:
    """Every tensor of the file is in the model, and every update of the model in the file."""
    if saved != placed:
        raise _lost(saved ^ placed, name)


def _lost(tensors: set[str], name: str) -> ProofError:
    what = _("adapter tensors that found no place in the model: {names}")
    return ProofError(Problem(name, what.format(names=", ".join(sorted(tensors)[:5]))))
