"""The files that a Hugging Face folder needs beside its weights: tokenizer, template, stop ids."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from foundry.core import atomic
from foundry.delivery.artefact import Tuned
from foundry.models.greedy import OTHER_RULES
from foundry.models.quiet import quiet

GENERATION_CONFIG = "generation_config.json"
TEMPLATE = "chat_template.jinja"
# transformers 5 gives the class that reads `tokenizer.json` alone a name that 4 does not know.
OWN_NAME, COMMON_NAME = "TokenizersBackend", "PreTrainedTokenizerFast"
PROCESSOR = ("preprocessor_config.json", "processor_config.json", "video_preprocessor_config.json")


def write_tokenizer(tuned: Tuned, folder: Path) -> None:
    """Write the tokenizer with the template it was trained with (C37), and a model's padding."""
    tokenizer = tuned.encoder.tokenizer
    with quiet(), padded_with(tokenizer, tuned.padding or tokenizer.pad_token):
        tokenizer.save_pretrained(folder)
    atomic.write_text(folder / TEMPLATE, tuned.encoder.template)
    path = folder / "tokenizer_config.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    for key in ("name_or_path", "is_local", "local_files_only", "chat_template"):
        config.pop(key, None)
    if config.get("tokenizer_class") == OWN_NAME:
        config["tokenizer_class"] = COMMON_NAME
    atomic.write_json(path, config)


@contextmanager
def padded_with(tokenizer: Any, padding: str | None) -> Iterator[None]:
    """Inside, a tokenizer fills up with another token of its vocabulary."""
    before, tokenizer.pad_token = tokenizer.pad_token, padding
    try:
        yield
    finally:
        tokenizer.pad_token = before


def copy_processor(tuned: Tuned, folder: Path) -> None:
    """Copy what turns images and sounds into inputs, without which no server loads the class."""
    for path in (Path(tuned.base.folder) / name for name in PROCESSOR):
        if path.is_file():
            atomic.copy(path, folder / path.name)


def write_stop_ids(tuned: Tuned, folder: Path) -> None:
    """Write `generation_config.json` with every stop id (C36)."""
    config = generation_config(tuned)
    config["eos_token_id"] = list(tuned.stop_ids)
    atomic.write_json(folder / GENERATION_CONFIG, config)


def generation_config(tuned: Tuned) -> dict[str, Any]:
    """The base's generation config as plain values, but for rules that no proof went by.

    Whether and how answers are drawn at random stays as the base's makers advise.
    """
    path = Path(tuned.base.folder) / GENERATION_CONFIG
    declared = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    return {key: value for key, value in declared.items() if key not in OTHER_RULES}


def declared_stop_ids(folder: Path) -> set[int]:
    """The stop ids that the folder's generation config lists."""
    config = json.loads((folder / GENERATION_CONFIG).read_text(encoding="utf-8"))
    found = config.get("eos_token_id")
    return set(found) if isinstance(found, list) else {found} - {None}
