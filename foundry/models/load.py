"""A base model's folder -> tokenizer, template, encoder, weights.

Weights are read from safetensors only, and never with remote code (C73, C74).
"""

from collections.abc import Callable, Mapping, Sequence
from importlib import util
from pathlib import Path
from typing import Any, Literal, Protocol

from foundry.core import plugins
from foundry.core.errors import Problem, ResourceError
from foundry.core.language import gettext as _
from foundry.core.records import BaseModel
from foundry.models import configuration, finite, nf4
from foundry.models.folder import check_folder, check_torch
from foundry.models.names import no_configuration
from foundry.models.place import CPU, Place
from foundry.models.quiet import quiet

# gpt-oss is published in MXFP4 alone; each number stands for exactly one of bfloat16's.
RESTORABLE = {"mxfp4"}

Storage = Literal["full", "nf4"]
"""How a base is held in memory: its numbers in full, or those of its linear layers in four bits."""


class OfFamily(Protocol):
    """A base model as far as its chat template is concerned."""

    @property
    def name(self) -> str:
        """What messages call it."""

    @property
    def family(self) -> str:
        """The name of its family plug-in."""


def chat_template(base: OfFamily, tokenizer: Any) -> str:
    """The template that every stage uses: the tokenizer's own, else the family's real one.

    The real templates ship with TRL (`trl/chat_templates/*.jinja`); the file is read without
    importing TRL.

    Raises:
        ResourceError: The tokenizer brings none and TRL has none of the family, or TRL is missing.
    """
    own = tokenizer.chat_template
    if isinstance(own, Mapping):  # several by name, as some tokenizers of 2024 have them
        own = own.get("default")
    if own is not None:
        return str(own)
    if plugins.load("family", base.family).CHAT_TEMPLATE is None:
        what = _(
            "the tokenizer brings no chat template, and the family `{family}` has none to lend"
        )
        fix = _("use the instruction-tuned model, whose folder has one")
        raise ResourceError(Problem(base.name, what.format(family=base.family), fix))
    path = family_template(base.family)
    if path is None:
        raise ResourceError(
            Problem("trl", _("the package is not installed"), "pip install 'ai-foundry[train]'")
        )
    return path.read_text(encoding="utf-8")


def family_template(family: str) -> Path | None:
    """The file of a family's real template; None where TRL has none or is not installed."""
    name, spec = plugins.load("family", family).CHAT_TEMPLATE, util.find_spec("trl")
    if name is None or spec is None or spec.origin is None:
        return None
    return Path(spec.origin).parent / "chat_templates" / f"{name}.jinja"


def control_tokens(tokenizer: Any) -> dict[str, int]:
    """The tokens that may end a turn, with their ids: those flagged special, BOS and EOS.

    Other added tokens are words of an answer, such as Qwen's `</tool_call>` and `</think>`.
    """
    named = (tokenizer.bos_token, tokenizer.eos_token)
    return {
        token.content: number
        for number, token in tokenizer.added_tokens_decoder.items()
        if token.special or token.content in named
    }


def own_bos(tokenizer: Any) -> int | None:
    """The BOS where the tokenizer puts it before a text by itself; None where it does not.

    Granite, Phi-4 and SmolLM2 name a BOS that no text of theirs begins with (C09).
    """
    bos = tokenizer.bos_token_id
    return bos if bos is not None and tokenizer("a")["input_ids"][:1] == [bos] else None


def load_model(
    base: BaseModel, *, folder: Path | None = None, storage: Storage = "full", place: Place = CPU
) -> Any:
    """The language model, in evaluation mode.

    Its class is the one for text where transformers has one for the configuration, else the
    multimodal one (Ministral 3).

    Args:
        base: Which model; `base.folder` is read unless `folder` is given.
        folder: Another folder of the same class, for example a merged export.
        storage: `nf4` keeps the linear layers in four bits, see `foundry.models.nf4`.
        place: Where it lies, and in what numbers.

    Raises:
        ResourceError: The folder may not be opened, or lacks weights, in whose place transformers
            would put random numbers; or four bits would hold too little of the model.
    """
    where = folder or Path(base.folder)
    model = open_as(where, _auto_class, storage=storage, place=place)
    if storage == "nf4":
        nf4.settle(model, base.name)
    return model.eval()


def open_as(
    where: Path,
    class_of: Callable[[Any], Any],
    *,
    storage: Storage,
    place: Place,
    begins: Sequence[str] = (),
) -> Any:
    """Open a folder as the class that `class_of` names for its configuration.

    Args:
        where: The folder.
        class_of: One of transformers' automatic classes, of a configuration.
        storage: See `load_model`.
        place: Where it lies, and in what numbers.
        begins: Parts of one label that the folder need not have, and which stay in full.

    Raises:
        ResourceError: See `load_model`.
    """
    check_torch()
    check_folder(where)
    with quiet():
        import torch

        config = load_config(where)
        if begins:
            config.num_labels = 1
        quantised = nf4.config(place.weights, in_full=begins) if storage == "nf4" else None
        model, told = class_of(config).from_pretrained(
            where,
            config=config,
            quantization_config=quantised or _restored(config),
            dtype=getattr(torch, place.weights),
            device_map={"": place.name} if place.is_gpu else None,
            local_files_only=True,
            use_safetensors=True,
            trust_remote_code=False,
            ignore_mismatched_sizes=True,  # or it raises, without a word of which
            output_loading_info=True,
        )
    lacking = {*told["missing_keys"], *(key for key, *_shapes in told["mismatched_keys"])}
    lacking -= {f"{name}.weight" for name in begins}
    fix = _("fetch it again with `foundry model fetch`")
    if lacking:
        what = _("the folder lacks weights of the model: {names}")
        names = ", ".join(sorted(lacking)[:5])
        raise ResourceError(Problem(str(where), what.format(names=names), fix))
    broken = finite.non_finite(
        (name, p) for name, p in model.named_parameters() if name.partition(".")[0] not in begins
    )
    if broken:
        raise ResourceError(finite.problem(str(where), broken, fix))
    return model


def check_precision(folder: Path) -> None:
    """Refuse weights that are stored in fewer bits, except where they can be restored exactly.

    Raises:
        ResourceError: Names the kind of quantisation.
    """
    path = folder / "config.json"
    found = configuration.read_object(path).get("quantization_config")
    if not isinstance(found, dict | None):
        raise configuration.refused(path, "quantization_config", _("an object"), found)
    method = None if found is None else found.get("quant_method")
    if found is not None and str(method) not in RESTORABLE:
        what = _("the weights are quantised ({method}); training needs them in full")
        fix = _("use the repository with full weights, such as the one ending in `-BF16`")
        raise ResourceError(Problem(str(path), what.format(method=method), fix))


def _restored(config: Any) -> Any:
    """How transformers is to read weights of fewer bits: back to full numbers, as gpt-oss's."""
    from transformers import Mxfp4Config

    is_quantised = "quantization_config" in config.to_dict()
    return Mxfp4Config(dequantize=True) if is_quantised else None


def load_config(folder: Path) -> Any:
    """The configuration in a folder, with the defaults of its class filled in.

    Raises:
        ResourceError: A value in it cannot be one of its class.
    """
    with quiet():
        from huggingface_hub.errors import StrictDataclassError
        from transformers import AutoConfig

        try:
            return AutoConfig.from_pretrained(
                folder, local_files_only=True, trust_remote_code=False
            )
        except (StrictDataclassError, AttributeError, TypeError, ValueError) as error:
            reason = " ".join(str(error).split())
            what = _("transformers refuses a value in it ({reason})").format(reason=reason)
            path = str(folder / "config.json")
            raise ResourceError(Problem(path, what, _("fetch it again"))) from error


def _auto_class(config: Any) -> Any:
    from transformers import (
        MODEL_FOR_CAUSAL_LM_MAPPING,
        AutoModelForCausalLM,
        AutoModelForImageTextToText,
    )

    known = type(config) in MODEL_FOR_CAUSAL_LM_MAPPING
    return AutoModelForCausalLM if known else AutoModelForImageTextToText


def family_of(folder: Path) -> str:
    """The family whose `MODEL_TYPES` hold the folder's `model_type`.

    Raises:
        ResourceError: No family has it; lists the types that are known.
    """
    path = folder / "config.json"
    if not path.is_file():
        raise no_configuration(folder)
    found = str(configuration.read_object(path).get("model_type"))
    known = {t: f for f in plugins.names("family") for t in plugins.load("family", f).MODEL_TYPES}
    if found not in known:
        what = _("models of the type `{found}` cannot be trained yet; known are: {known}")
        known_types = ", ".join(sorted(known))
        raise ResourceError(
            Problem(
                str(path),
                what.format(found=found, known=known_types),
                _("choose a base model with `foundry model list`"),
            )
        )
    return known[found]
