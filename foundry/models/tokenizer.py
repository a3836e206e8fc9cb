"""A base model's folder -> the tokenizer that its makers published, and what others make of it."""

from pathlib import Path
from typing import Any

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
    tokenizer = open_tokenizer(folder)
    with quiet():
        from transformers import PreTrainedTokenizerFast as Plain

        if type(tokenizer) is Plain or follows_its_file(tokenizer, folder):
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


def follows_its_file(tokenizer: Any, folder: Path) -> bool:
    """Whether a folder's tokenizer makes of the probes, and of what follows a control token, the
    ids that the folder's `tokenizer.json` makes; True where there is no such file.
    """
    light = open_light(folder)
    if light is None:
        return True
    ends = [token for token in (tokenizer.bos_token, tokenizer.eos_token) if token is not None]
    after = [f"{end}{text}" for end in ends for text in AFTER_AN_END]
    return all(
        light(text, add_special_tokens=False)["input_ids"]
        == list(tokenizer(text, add_special_tokens=False)["input_ids"])
        for text in (*TEXTS, *after)
    )
