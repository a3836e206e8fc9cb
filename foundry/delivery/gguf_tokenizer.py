"""GGUF metadata of a base model that has no GGUF file of its own: byte-level BPE only.

The safest source is the base's own GGUF (C34, C35). Without it, the tokenizer's kind must be
recognised by every step of its splitting; an unknown one is refused, never guessed.
"""

import json
from collections.abc import Mapping
from typing import Any

from foundry.core.errors import Problem, ResourceError
from foundry.core.language import gettext as _
from foundry.core.records import BaseModel
from foundry.models.load import own_bos
from foundry.models.word_split import name_of

NORMAL, CONTROL, USER_DEFINED = 1, 3, 4


def tokenizer_fields(base: BaseModel, tokenizer: Any, rows: int) -> dict[str, Any]:
    """The `tokenizer.ggml.*` fields, lists as Python lists.

    Args:
        base: For messages.
        tokenizer: A fast tokenizer.
        rows: Rows of the embedding; the token list is filled up to it (C34).

    Raises:
        ResourceError: The tokenizer is of a kind that is not recognised.
    """
    definition = json.loads(tokenizer.backend_tokenizer.to_str())
    name = name_of(definition.get("pre_tokenizer"))
    if name is None or not is_known(definition):
        what = _("the tokenizer's kind is not known, so a GGUF file could split words differently")
        fix = _("use a base that comes with a GGUF file, or export `merged`")
        raise ResourceError(Problem(base.name, what, fix))
    by_id = {number: text for text, number in tokenizer.get_vocab().items()}
    added = tokenizer.added_tokens_decoder
    tokens = [by_id.get(i, f"[PAD{i}]") for i in range(rows)]
    kinds = [CONTROL if i in added else NORMAL if i in by_id else USER_DEFINED for i in range(rows)]
    merges = [m if isinstance(m, str) else " ".join(m) for m in definition["model"]["merges"]]
    fields: dict[str, Any] = {
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": name,
        "tokenizer.ggml.tokens": tokens,
        "tokenizer.ggml.token_type": kinds,
        "tokenizer.ggml.merges": merges,
        "tokenizer.ggml.eos_token_id": tokenizer.eos_token_id,
    }
    if tokenizer.bos_token_id is not None:
        fields["tokenizer.ggml.bos_token_id"] = tokenizer.bos_token_id
        fields["tokenizer.ggml.add_bos_token"] = own_bos(tokenizer) is not None
    return fields


def is_known(definition: Mapping[str, Any]) -> bool:
    """Whether the tokenizer of a `tokenizer.json` is one that llama.cpp has a name for."""
    is_bpe = definition.get("model", {}).get("type") == "BPE"
    return is_bpe and name_of(definition.get("pre_tokenizer")) is not None
