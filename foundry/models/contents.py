"""Is a file of a model folder what its name says, and does it ask for code?

Nothing is unpacked or run to find out: first bytes, JSON, and the header of safetensors.
"""

import json
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from foundry.core.errors import Problem
from foundry.core.language import gettext as _

# First bytes of what no file of a model folder may be, whatever its name.
DISGUISES = {
    b"PK\x03\x04": "zip",
    b"PK\x05\x06": "zip",
    b"PK\x07\x08": "zip",
    b"\x1f\x8b": "gzip",
    b"BZh91AY&SY": "bzip2",
    b"\xfd7zXZ\x00": "xz",
    b"7z\xbc\xaf\x27\x1c": "7z",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"Rar!\x1a\x07": "rar",
    b"\x89HDF": "HDF5",
    b"\x93NUMPY": "NumPy",
    b"\x7fELF": "program",
}
PICKLE_PROTOCOLS = range(2, 6)
TAR_MAGIC_AT = 257

# Vocabularies: large, and no loader looks for a class in them.
VOCABULARIES = {"tokenizer.json", "vocab.json", "tekken.json"}
# The index of a model with 91,000 tensors takes 8 MiB; a configuration a few KiB.
MAX_JSON_BYTES = 16 << 20
# Keys that name Python code for a loader to fetch and run.
CODE_KEYS = {"auto_map", "custom_pipelines"}
# Their value may be the address of a kernel on the hub, which transformers would fetch and run
# (CVE-2026-4372; huggingface/transformers#46708).
KERNEL_KEYS = {
    *("attn_implementation", "_attn_implementation", "_attn_implementation_internal"),
    *("experts_implementation", "_experts_implementation", "_experts_implementation_internal"),
}


def disguise_problems(path: Path) -> Iterator[Problem]:
    """A pickle, an archive or a program under a harmless name."""
    found = _disguise(path)
    if found:
        what = _("its content is not what its name says (found: {found})").format(found=found)
        yield Problem(str(path), what, _("remove it, and do not trust the rest of the folder"))


def weights_problems(path: Path) -> Iterator[Problem]:
    """A safetensors file whose header does not describe exactly the bytes that follow.

    The header comes first: its length of 640 bytes is written like the begin of a pickle.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="np"):
            return
    except (SafetensorError, OSError) as error:
        if _disguise(path):
            yield from disguise_problems(path)
            return
        what = _("not a whole safetensors file ({error})").format(error=error)
        yield Problem(str(path), what, _("fetch it again"))


def gguf_problems(path: Path) -> Iterator[Problem]:
    """A file called .gguf that is none."""
    with path.open("rb") as stream:
        if stream.read(4) != b"GGUF":
            yield Problem(str(path), _("not a GGUF file"), _("fetch it again"))


def json_problems(path: Path, folder: Path) -> Iterator[Problem]:
    """JSON that is none, that asks for code, or that names weights which were not checked."""
    found = _disguise(path)
    if found:
        yield from disguise_problems(path)
    elif path.name in VOCABULARIES:
        if _first_sign(path) not in (b"{", b"["):
            yield Problem(str(path), _("not a JSON file"), _("fetch it again"))
    elif path.stat().st_size > MAX_JSON_BYTES:
        what = _("larger than any configuration ({size} bytes)").format(size=path.stat().st_size)
        yield Problem(str(path), what, _("move it out of the folder; a model does not need it"))
    else:
        yield from _configuration_problems(path, folder)


def _configuration_problems(path: Path, folder: Path) -> Iterator[Problem]:
    try:
        value = json.loads(path.read_bytes())
        asked = list(_asked_for(value))
    except (ValueError, RecursionError) as error:
        what = _("not a JSON file ({error})").format(error=type(error).__name__)
        yield Problem(str(path), what, _("fetch it again"))
        return
    for key, wanted in asked:
        what = _("asks to run code of its own: `{key}` names {wanted}")
        fix = _("use a model of a class transformers has; code of a model is never run")
        yield Problem(str(path), what.format(key=key, wanted=", ".join(wanted)), fix)
    if path.name.endswith(".safetensors.index.json") and isinstance(value, dict):
        yield from _index_problems(path, folder, value.get("weight_map"))


def _asked_for(value: Any, place: str = "") -> Iterator[tuple[str, list[str]]]:
    """Dotted key and named code of each request for code, at any depth."""
    items = enumerate(value) if isinstance(value, list) else ()
    for key, inner in value.items() if isinstance(value, dict) else items:
        where = f"{place}.{key}" if place else str(key)
        names = sorted(set(_texts(inner))) if key in CODE_KEYS | KERNEL_KEYS else []
        if key in KERNEL_KEYS:
            names = [name for name in names if "/" in name]
        if names:
            yield where, names
        else:
            yield from _asked_for(inner, where)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list | dict):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _texts(inner)


def _index_problems(path: Path, folder: Path, weights: Any) -> Iterator[Problem]:
    """An index sends the loader to files by name; each must be one that was checked."""
    names = sorted({str(name) for name in weights.values()}) if isinstance(weights, dict) else []
    for name in names:
        parts = PurePosixPath(name).parts
        is_checked = name.endswith(".safetensors") and not any(p.startswith(".") for p in parts)
        if not is_checked or "\\" in name or name.startswith("/"):
            what = _("sends to a file that is not read ({name})").format(name=name)
            yield Problem(str(path), what, _("use weights in safetensors"))
        elif not (folder / name).is_file():
            what = _("names weights that are not in the folder ({name})").format(name=name)
            yield Problem(str(path), what, _("fetch the model again"))


def _disguise(path: Path) -> str | None:
    """What a file really is, if it is of a kind that is not opened."""
    with path.open("rb") as stream:
        head = stream.read(TAR_MAGIC_AT + 5)
    for magic, kind in DISGUISES.items():
        if head.startswith(magic):
            return kind
    if len(head) > 1 and head[0] == 0x80 and head[1] in PICKLE_PROTOCOLS:
        return "pickle"
    return "tar" if head[TAR_MAGIC_AT:] == b"ustar" else None


def _first_sign(path: Path) -> bytes:
    with path.open("rb") as stream:
        return stream.read(64).lstrip()[:1]
