"""A base model with a reward head: one number for a conversation instead of a next token.

It is transformers' own class for sequence classification with one label. The number is read at the
last token of a conversation, which in a causal model has seen all of it; the head is a linear layer
without a bias, in float32, called `score` in every class of this kind.
"""

from importlib import util
from pathlib import Path
from typing import Any

from foundry.core.errors import Problem
from foundry.core.language import gettext as _
from foundry.core.records import BaseModel
from foundry.models import configuration, nf4
from foundry.models.load import Storage, open_as
from foundry.models.place import CPU, Place
from foundry.models.quiet import quiet

HEAD = "score"
SUFFIX = "ForSequenceClassification"
# All runs begin with one head, so that the base beside a trained model says the same for each seed
# of the training (C28).
HEAD_SEED = 0


def is_reward_model(model: Any) -> bool:
    """Whether a transformers model, without an update around it, says a reward."""
    return type(model).__name__.endswith(SUFFIX)


def holds_reward_model(folder: Path) -> bool:
    """Whether a folder holds a whole model that says a reward."""
    file = folder / "config.json"
    config = configuration.read_object(file) if file.is_file() else {}
    return str((config.get("architectures") or [""])[0]).endswith(SUFFIX)


def misfit(base: BaseModel) -> Problem | None:
    """Why a base can have no reward head; None where it can.

    transformers needs a class for sequence classification of the base's type, and one for text
    alone, since a conversation is all that is read.
    """
    config = configuration.read_object(Path(base.folder) / "config.json")
    kind, fix = str(config.get("model_type")), _("choose another base model: `foundry model list`")
    if "text_config" in config:
        what = _("`{kind}` is of several parts, and a reward head goes on a class for text alone")
    elif util.find_spec("transformers") is None or _has_class(kind):
        return None
    else:
        what = _("transformers has no class for sequence classification of the type `{kind}`")
    return Problem(base.name, what.format(kind=kind), fix)


def _has_class(kind: str) -> bool:
    with quiet():
        from transformers.models.auto import modeling_auto as auto

        return kind in auto.MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING_NAMES


def load_reward_model(
    base: BaseModel, *, folder: Path | None = None, storage: Storage = "full", place: Place = CPU
) -> Any:
    """The language model under a reward head, in evaluation mode.

    Args:
        base: Which model; its folder has no head, and gets that of `HEAD_SEED`.
        folder: A whole reward model, whose head must be in it.
        storage: As `load_model` has it; the head is always in full.
        place: Where it lies; the head is in float32 in any case.

    Raises:
        ResourceError: As `load_model`; and where a folder of a reward model lacks its head, in
            whose place transformers would put random numbers.
    """
    where = folder or Path(base.folder)
    begins = folder is None
    model = open_as(where, _class_of, storage=storage, place=place, begins=(HEAD,) * begins)
    model.score.float()
    if begins:
        _begin(model)
    if storage == "nf4":
        nf4.settle(model, base.name)
    return model.eval()


def _class_of(_config: Any) -> Any:
    from transformers import AutoModelForSequenceClassification

    return AutoModelForSequenceClassification


def _begin(model: Any) -> None:
    """Normal numbers as wide as transformers' own (`PreTrainedModel._init_weights`)."""
    import torch

    width = model.config.get_text_config().initializer_range
    drawn = torch.Generator().manual_seed(HEAD_SEED)
    weight = torch.empty(model.score.weight.shape).normal_(0.0, width, generator=drawn)
    with torch.no_grad():
        model.score.weight.copy_(weight)
