"""A base model's folder -> tokenizer, template, encoder, weights.

Weights are read from safetensors only, and never with remote code (C73, C74).
"""

import json
from importlib import util
from pathlib import Path
from typing import Any

from foundry.core import plugins
from foundry.core.errors import Problem, ResourceError
from foundry.core.language import gettext as _
from foundry.core.records import BaseModel
from foundry.models.folder import check_folder, check_torch
from foundry.models.quiet import quiet


def load_tokenizer(base: BaseModel) -> Any:
    """The tokenizer of a base model's folder."""
    return open_tokenizer(Path(base.folder))


def open_tokenizer(folder: Path) -> Any:
    """The tokenizer in a folder, of the fast kind, which knows where in the text a token lies."""
    with quiet():
        from transformers import AutoTokenizer

        return AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)


def chat_template(base: BaseModel, tokenizer: Any) -> str:
    """The template that every stage uses: the tokenizer's own, else the family's real one.

    The real templates ship with TRL (`trl/chat_templates/*.jinja`); the file is read without
    importing TRL.
    """
    if isinstance(tokenizer.chat_template, str):
        return str(tokenizer.chat_template)
    path = family_template(base.family)
    if path is None:
        raise ResourceError(
            Problem("trl", _("the package is not installed"), "pip install 'ai-foundry[train]'")
        )
    return path.read_text(encoding="utf-8")


def family_template(family: str) -> Path | None:
    """The file of a family's real template; None where TRL is not installed."""
    spec = util.find_spec("trl")
    if spec is None or spec.origin is None:
        return None
    name = plugins.load("family", family).CHAT_TEMPLATE
    return Path(spec.origin).parent / "chat_templates" / f"{name}.jinja"


def control_tokens(tokenizer: Any) -> dict[str, int]:
    """The tokens that no text is tokenised into by accident, with their ids."""
    return {str(token): number for number, token in tokenizer.added_tokens_decoder.items()}


def own_bos(tokenizer: Any) -> int | None:
    """The BOS where the tokenizer puts it before a text by itself; None where it does not.

    Granite, Phi-4 and SmolLM2 name a BOS that no text of theirs begins with (C09).
    """
    bos = tokenizer.bos_token_id
    return bos if bos is not None and tokenizer("a")["input_ids"][:1] == [bos] else None


def load_model(base: BaseModel, *, folder: Path | None = None) -> Any:
    """The causal language model in float32 on the CPU, in evaluation mode.

    Args:
        base: Which model; `base.folder` is read unless `folder` is given.
        folder: Another folder of the same class, for example a merged export.
    """
    where = folder or Path(base.folder)
    check_torch()
    check_folder(where)
    with quiet():
        import torch
        from transformers import AutoModelForCausalLM

        model = AutoModelForCausalLM.from_pretrained(
            where,
            dtype=torch.float32,
            local_files_only=True,
            use_safetensors=True,
            trust_remote_code=False,
        )
    return model.eval()


def family_of(folder: Path) -> str:
    """The family whose `MODEL_TYPES` hold the folder's `model_type`.

    Raises:
        ResourceError: No family has it; lists the types that are known.
    """
    path = folder / "config.json"
    if not path.is_file():
        raise ResourceError(
            Problem(str(folder), _("no config.json in the model's folder"), _("check the path"))
        )
    found = json.loads(path.read_text(encoding="utf-8")).get("model_type")
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
