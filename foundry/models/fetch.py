"""Where a base model's files lie on this machine: embedded package, folder, or the hub's cache.

Nothing here opens a connection; `download` alone does.
"""

import json
import math
from pathlib import Path
from typing import Any

from foundry.core import atomic
from foundry.core.errors import Problem, ResourceError
from foundry.core.language import gettext as _
from foundry.core.records import BaseModel
from foundry.models import configuration, names
from foundry.models.embedded import GGUF_NAME, RECORD_NAME, materialise
from foundry.models.folder import check_folder, is_wanted, weight_names
from foundry.models.load import check_precision, family_of, family_template, load_config
from foundry.models.names import Wanted
from foundry.models.quiet import hush
from foundry.models.templates import template_hashes

# Files that decide what a text becomes: configuration, tokenizer, chat template.
SETTINGS_SUFFIXES = {".json", ".jinja", ".model", ".txt"}


def locate(base_model: str, recipe_folder: Path) -> BaseModel:
    """Find `base_model` of a recipe.

    Args:
        base_model: A catalogue name, a folder (relative to the recipe or the working folder), or
            a hub id; the names of models may be followed by `@revision`.
        recipe_folder: The folder of the recipe file.

    Raises:
        ResourceError: It is not on this machine; says how to get it.
        RecipeError: It names nothing, or is neither a folder nor in the catalogue; names the
            nearest entry.
    """
    folder = names.folder_of_base(base_model, recipe_folder)
    if folder is not None:
        return _from_folder(folder.resolve(), folder.name)
    return _from_name(names.wanted(base_model), recipe_folder)


def _from_name(wanted: Wanted, recipe_folder: Path) -> BaseModel:
    entry = wanted.entry
    if entry is None:
        return _from_hub_cache(wanted, recipe_folder)
    if is_embedded(wanted):
        base = _from_folder(materialise(entry), entry.name)
    else:
        base = _from_hub_cache(wanted, recipe_folder)
    known = {"name": entry.name, "licence": entry.licence, "hub_id": entry.hub_id}
    return BaseModel(**{**base.as_dict(), **known})


def is_embedded(wanted: Wanted) -> bool:
    """Whether a package holds it; with a revision or by its hub id the hub's own is meant."""
    entry = wanted.entry
    has_package = entry is not None and entry.embedded is not None
    return has_package and wanted.revision is None and wanted.name == entry.name


def _from_folder(folder: Path, name: str) -> BaseModel:
    check_folder(folder)
    gguf, family = folder / GGUF_NAME, family_of(folder)
    check_precision(folder)
    record = _record(folder)
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
        context=_context(folder),
        settings_sha256=_settings_sha256(folder, family),
        templates=template_hashes(folder, family),
    )


def _context(folder: Path) -> int:
    """How many tokens the model reads; a multimodal configuration may leave it to its class."""
    path, key = folder / "config.json", "max_position_embeddings"
    stated = configuration.read_object(path).get(key)
    stated = stated or load_config(folder).get_text_config().max_position_embeddings
    if not isinstance(stated, int | float) or not 1 <= stated < math.inf:
        raise configuration.refused(path, key, _("a number of tokens"), stated)
    return int(stated)


def _settings_sha256(folder: Path, family: str) -> str:
    """One hash of all that decides what a text becomes (C21), a template from TRL included."""
    files = [p for p in sorted(folder.iterdir()) if p.suffix in SETTINGS_SUFFIXES]
    hashes = {path.name: atomic.sha256(path) for path in files if path.name != RECORD_NAME}
    template = family_template(family)
    if template is not None:
        hashes["family template"] = atomic.sha256(template)
    return atomic.fingerprint(hashes)


def count_parameters(folder: Path) -> int:
    """Numbers in a base model's folder, from the headers of its weights alone.

    Raises:
        ResourceError: It holds no weights.
    """
    kept = _kept_record(folder)
    return kept["parameters"] if kept else sum(_parameters(path) for path in _weights(folder))


def weights_sha256(folder: Path) -> str:
    """By what a base model's weights are known: their hash as they lie in the folder now.

    Raises:
        ResourceError: It holds no weights.
    """
    return str(_record(folder)["sha256"])


def _record(folder: Path) -> dict[str, Any]:
    """Hash and size of the weights, kept beside an embedded model and computed for the rest."""
    kept = _kept_record(folder)
    if kept:
        return kept
    hashes = {path.name: atomic.sha256(path) for path in _weights(folder)}
    digest = next(iter(hashes.values())) if len(hashes) == 1 else atomic.fingerprint(hashes)
    return {"sha256": digest, "parameters": count_parameters(folder)}


def _kept_record(folder: Path) -> dict[str, Any] | None:
    path = folder / RECORD_NAME
    if not path.is_file():
        return None
    found = configuration.read_object(path)
    for key, kind, wanted in (("sha256", str, _("a text")), ("parameters", int, _("a number"))):
        if not isinstance(found.get(key), kind):
            raise configuration.refused(path, key, wanted, found.get(key))
    return {"sha256": found["sha256"], "parameters": found["parameters"]}


def _weights(folder: Path) -> list[Path]:
    present = [path.name for path in folder.glob("*.safetensors")]
    weights = [folder / name for name in weight_names(folder, present)]
    if not weights:
        raise ResourceError(
            Problem(
                str(folder),
                _("no .safetensors file in the model's folder"),
                _("convert the weights to safetensors"),
            )
        )
    return weights


def _parameters(path: Path) -> int:
    """Numbers in a safetensors file, read from its header alone.

    Of four-bit weights, in the layout that gpt-oss is published in, a byte of `_blocks` holds two
    numbers, and `_scales` belong to them.
    """
    with path.open("rb") as stream:
        header = json.loads(stream.read(int.from_bytes(stream.read(8), "little")))
    total = 0
    for name, tensor in header.items():
        if name == "__metadata__":
            continue
        is_packed = tensor["dtype"] == "U8"
        if not (is_packed and name.endswith("_scales")):
            per_element = 2 if is_packed and name.endswith("_blocks") else 1
            total += per_element * math.prod(tensor["shape"])
    return total


def _from_hub_cache(wanted: Wanted, recipe_folder: Path) -> BaseModel:
    folder = cached(wanted)
    if folder is None:
        what = _("the model is not on this machine, and nothing is downloaded unasked")
        fix = f"foundry model fetch {wanted.address}"
        if near := names.near_folder(wanted.name, recipe_folder):
            fix = _("{command}; or, if a folder is meant, use `{name}`").format(
                command=fix, name=near
            )
        raise ResourceError(Problem(wanted.address, what, fix))
    if missing := _missing(wanted, folder):
        what = _("not all of the model is on this machine (missing: {names})")
        fix = f"foundry model fetch {wanted.address}"
        raise ResourceError(Problem(wanted.address, what.format(names=", ".join(missing)), fix))
    base = _from_folder(folder, str(wanted.hub_id).split("/")[-1].lower())
    known = {"hub_id": wanted.hub_id, "revision": folder.name}
    return BaseModel(**{**base.as_dict(), **known})


def cached(wanted: Wanted) -> Path | None:
    """The snapshot in the hub's cache; its name is the commit."""
    hush()
    from huggingface_hub import try_to_load_from_cache

    assert wanted.hub_id is not None
    found = try_to_load_from_cache(wanted.hub_id, "config.json", revision=wanted.revision)
    return Path(found).parent if isinstance(found, str) else None


def _missing(wanted: Wanted, folder: Path) -> list[str]:
    """Files that the hub listed when the model was fetched and that are not here, or not whole."""
    hush()
    from huggingface_hub import get_cached_repo_tree
    from huggingface_hub.errors import CachedRepoTreeNotFoundError

    try:
        listed = get_cached_repo_tree(wanted.hub_id, revision=folder.name)
    except CachedRepoTreeNotFoundError:
        return []
    sizes = {file.path: file.size for file in listed if is_wanted(file.path)}
    weights = [name for name in sizes if name.endswith(".safetensors")]
    unused = set(weights) - set(weight_names(folder, weights))
    return [
        name
        for name, size in sizes.items()
        if name not in unused
        and not ((folder / name).is_file() and (folder / name).stat().st_size == size)
    ]
