"""A base model's folder -> the tokenizer that its makers published, and what others make of it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from foundry.core import allocator
from foundry.core.records import BaseModel
from foundry.models.light_tokenizer import open_light
from foundry.models.probes import AFTER_AN_END, TEXTS
from foundry.models.quiet import quiet


def load_tokenizer(base: BaseModel) -> Any:
    """The tokenizer of a base model's folder, which splits texts as its `tokenizer.json` says.

    transformers builds some classes anew from their vocabulary, with the class's own rule of where
    words end (`GPT2Tokenizer`, `LlamaTokenizer`, ... in 5.24). Where the model's rule is another,
    as SmolLM2's and DeepSeek's are, the file itself is read, as transformers 4 and llama.cpp do
    (https://github.com/huggingface/transformers/issues/45488).
    """
    folder = Path(base.folder)
    own = ids_by_file(folder)  # which then forgets the vocabulary: two at once take 150 MB more
    allocator.give_back()
    tokenizer = open_tokenizer(folder)
    with quiet():
        from transformers import PreTrainedTokenizerFast as Plain

        if type(tokenizer) is Plain or own is None or follows(tokenizer, own):
            return tokenizer
        return Plain.from_pretrained(
            folder,
            local_files_only=True,
            trust_remote_code=False,
            padding_side=tokenizer.padding_side,
            model_input_names=tokenizer.model_input_names,
        )


def open_tokenizer(folder: Path) -> Any:
    """The tokenizer in a folder as any program opens it with transformers.

    It is of the fast kind, which knows where in the text a token lies.
    """
    with quiet():
        from transformers import AutoTokenizer

        return AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)


def ids_by_file(folder: Path) -> dict[str, list[int]] | None:
    """The ids that a folder's `tokenizer.json` makes of the probes, and of what follows a control
    token, by text; None where there is no such file.
    """
    light = open_light(folder)
    if light is None:
        return None
    return {text: light(text, add_special_tokens=False)["input_ids"] for text in _probes(light)}


def follows(tokenizer: Any, own: Mapping[str, list[int]]) -> bool:
    """Whether a folder's tokenizer makes of its probes the ids that `ids_by_file` gave."""
    return all(
        own.get(text) == list(tokenizer(text, add_special_tokens=False)["input_ids"])
        for text in _probes(tokenizer)
    )


def _probes(tokenizer: Any) -> tuple[str, ...]:
    """The texts for a tokenizer, those after its own BOS and EOS among them."""
    ends = [token for token in (tokenizer.bos_token, tokenizer.eos_token) if token is not None]
    return (*TEXTS, *(f"{end}{text}" for end in ends for text in AFTER_AN_END))
