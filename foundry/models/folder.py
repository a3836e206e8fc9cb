"""May a model folder be opened? An allow-list of kinds of file, and a look into each (C73, C74).

A list of what is forbidden always lacks something, so every file must be of a kind that is known
to hold no code: weights in safetensors, JSON, templates, vocabularies, texts; pictures and PDFs
are let be because nothing opens them. What a file holds is looked at as well as its name. Hidden
folders (`.git`, `.cache`) are not entered: no loader looks there, and an index of weights may name
only files that were checked. Applies to base models and adapters alike.
"""

import os
import re
import stat
from collections.abc import Collection, Iterator
from pathlib import Path, PurePosixPath

from foundry.core.environment import installed
from foundry.core.errors import Problem, ResourceError
from foundry.core.language import gettext as _
from foundry.models import configuration, contents

# Versions before it run code while they read a file with `weights_only=True`: CVE-2025-32434
# (patched in 2.6) and CVE-2026-24747 (GHSA-63cw-57p8-fm3p, patched in 2.10.0).
MINIMUM_TORCH = (2, 10)

PICKLES = {".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle"}
TEXTS = {".jinja", ".model", ".txt", ".md", ".yaml", ".yml"}
NEVER_OPENED = {".png", ".jpg", ".jpeg", ".gif", ".webp", ".svg", ".pdf"}
# Kinds that a model is loaded from, or that say under which terms it is used.
LOADED = {".safetensors", ".json", ".jinja", ".model", ".txt", ".md"}
TERMS = re.compile(r".*(licen[cs]e|terms|agreement|notice|policy).*\.pdf", re.I)
INDEX = "model.safetensors.index.json"
SHARD = re.compile(r"model(-\d+-of-\d+)?\.safetensors")
WITHOUT_SUFFIX = re.compile(r"(LICEN[CS]E|NOTICE|COPYING|USE_POLICY|README)[\w-]*|\.git\w+", re.I)


def check_folder(folder: Path, *, besides: Collection[str] = ()) -> None:
    """Refuse a model folder that holds anything we do not know to be harmless.

    Args:
        folder: A base model, an adapter, or a checkpoint.
        besides: Names of files that the caller looks into by itself.

    Raises:
        ResourceError: Names each file that is not of an allowed kind, that is not what its name
            says, that links out of the folder, or that asks for code.
    """
    paths = [path for path in _paths(folder) if path.name not in besides]
    problems = [problem for path in paths for problem in _problems(path, folder)]
    if problems:
        raise ResourceError(problems)


def check_torch() -> None:
    """Refuse a torch that is known to run code while it reads a checkpoint.

    Raises:
        ResourceError: It is older than `MINIMUM_TORCH`; says how to get a newer one.
    """
    found = installed("torch")
    if found is None:
        return
    if tuple(int(n) for n in re.findall(r"\d+", found)[:2]) < MINIMUM_TORCH:
        wanted = ".".join(str(n) for n in MINIMUM_TORCH)
        what = _("{found} is known to run code hidden in checkpoints; at least {wanted} is needed")
        fix = f"pip install --upgrade 'torch>={wanted}'"
        raise ResourceError(Problem("torch", what.format(found=found, wanted=wanted), fix))


def is_wanted(name: str) -> bool:
    """Whether a file of a repository is worth fetching.

    transformers loads from the top folder and from `additional_chat_templates`. An index of
    pickled weights (`pytorch_model.bin.index.json`) sends to what is never opened.
    """
    path = PurePosixPath(name)
    if len(path.parts) > 1 and path.parent.as_posix() != "additional_chat_templates":
        return False
    if name.endswith(".index.json") and not name.endswith(".safetensors.index.json"):
        return False
    is_loaded = path.suffix.lower() in LOADED and not name.startswith(".")
    return is_loaded or bool(TERMS.fullmatch(name)) or bool(WITHOUT_SUFFIX.fullmatch(name))


def weight_names(folder: Path, names: Collection[str]) -> list[str]:
    """Which of the safetensors files `names` are loaded, sorted.

    Those that the index in `folder` names, else those called as transformers calls weights, else
    all. Some repositories hold the same weights again under another name
    (`consolidated.safetensors`).

    Raises:
        ResourceError: The index is not one.
    """
    if (folder / INDEX).is_file():
        listed = configuration.read_object(folder / INDEX).get("weight_map")
        if not isinstance(listed, dict) or not all(isinstance(n, str) for n in listed.values()):
            wanted = _("an object of file names")
            raise configuration.refused(folder / INDEX, "weight_map", wanted, listed)
        return sorted(set(listed.values()) & set(names))
    return sorted(n for n in names if SHARD.fullmatch(n)) or sorted(names)


def _paths(folder: Path) -> Iterator[Path]:
    """Every file and link of the folder, sorted, without hidden folders; links are not followed."""
    for place, folders, files in os.walk(folder):
        links = [name for name in folders if (Path(place) / name).is_symlink()]
        folders[:] = sorted(n for n in folders if not n.startswith(".") and n not in links)
        yield from sorted(Path(place) / name for name in [*files, *links])


def _problems(path: Path, folder: Path) -> Iterator[Problem]:
    if path.is_symlink() and not _stays_inside(path, folder):
        what = _("a link that leads out of the folder ({target})").format(target=os.readlink(path))
        yield Problem(str(path), what, _("put the file itself in its place"))
    elif not path.exists():
        what = _("a link to a file that is not there")
        yield Problem(str(path), what, _("put the file itself in its place"))
    elif not stat.S_ISREG(path.stat().st_mode):
        what = _("not a plain file; it is not opened")
        yield Problem(str(path), what, _("remove it"))
    else:
        yield from _look_into(path, folder)


def _stays_inside(path: Path, folder: Path) -> bool:
    """Whether a link ends in the folder or in the store of the hub's cache that the folder is in.

    A snapshot is `models--owner--name/snapshots/<commit>`; its files are links to
    `models--owner--name/blobs`, which may link on to `blobs` of the whole cache.
    """
    root, target = folder.resolve(), path.resolve()
    allowed = [root]
    if root.parent.name == "snapshots" and root.parent.parent.name.startswith("models--"):
        repository = root.parent.parent
        allowed += [repository / "blobs", repository.parent / "blobs"]
    return any(target.is_relative_to(place) for place in allowed)


def _look_into(path: Path, folder: Path) -> Iterator[Problem]:
    suffix = path.suffix.lower()
    if suffix == ".safetensors":
        yield from contents.weights_problems(path)
    elif suffix == ".json":
        yield from contents.json_problems(path, folder)
    elif suffix == ".gguf":
        yield from contents.gguf_problems(path)
    elif suffix in TEXTS | NEVER_OPENED or WITHOUT_SUFFIX.fullmatch(path.name):
        yield from contents.disguise_problems(path)
    elif suffix in PICKLES:
        yield Problem(str(path), _pickle_told(suffix), _conversion(path))
    else:
        what = _("files of the kind `{suffix}` are not opened").format(suffix=suffix or path.name)
        yield Problem(str(path), what, _("move it out of the folder; a model does not need it"))


def _pickle_told(suffix: str) -> str:
    what = _("files of the kind `{suffix}` are not opened: they may hold a pickle, which runs code")
    return what.format(suffix=suffix)


def _conversion(path: Path) -> str:
    """What to do about a pickle, beside safetensors or alone."""
    target = {
        "pytorch_model.bin": "model.safetensors",
        "adapter_model.bin": "adapter_model.safetensors",
    }.get(path.name)
    if target is None or (path.parent / target).is_file():
        return _("remove it; weights are read from .safetensors files alone")
    code = (
        "import torch, safetensors.torch as s; "
        f"w = torch.load('{path.name}', map_location='cpu', weights_only=True); "
        f"s.save_file({{k: v.clone() for k, v in w.items()}}, '{target}', {{'format': 'pt'}})"
    )
    how = _("convert it, which reads tensors only, then remove it; in its folder: {command}")
    return how.format(command=f'python -c "{code}"')
