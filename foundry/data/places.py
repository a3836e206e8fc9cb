"""Where the data of a recipe lie: a file, a folder, a pattern, an archive, a dataset of the hub.

A written path is expanded to the files it stands for, sorted by name. What a folder or a pattern
holds and is not read is listed with its reason, so that nothing is left out silently. Nothing here
opens a connection: a dataset of the hub is taken from the cache of this machine (C70).
"""

import glob
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePath, PurePosixPath

from foundry.core.blocks import Block
from foundry.core.errors import DataError, FoundryError, Problem, RecipeError, ResourceError
from foundry.core.language import gettext as _
from foundry.core.load import LoadedRecipe
from foundry.core.near import nearest
from foundry.core.records import SkippedFile
from foundry.data.archives import is_archive, unpack
from foundry.data.kinds import by_suffix, kind_of
from foundry.data.notices import not_read
from foundry.data.reading import AUTO
from foundry.data.signatures import signature

HUB, CATALOGUE = "hub:", "catalogue:"
HUB_PLACE = re.compile(r"hub:(?P<id>[\w.-]+/[\w.-]+)@(?P<revision>[0-9a-f]{40})(?:/(?P<below>.+))?")
MOST_NAMED = 10  # files in one error
# Why a file is not read; `notices.not_read` has the words.
HIDDEN, FOLDER_LINK, NO_FILE = "hidden", "link-to-folder", "not-a-file"
UNREADABLE, UNKNOWN_KIND, NAME = "unreadable", "unknown-kind", "name-is-not-utf-8"
ARCHIVE, ABOUT_DATA = "archive-in-archive", "about-the-data"
REASONS = HIDDEN, FOLDER_LINK, NO_FILE, UNREADABLE, UNKNOWN_KIND, NAME, ARCHIVE, ABOUT_DATA
# What lies beside data and is none, in upper or lower case; the last three are datasets' own.
ABOUT = re.compile(
    r"(readme|licen[cs]e|notice|copying|changelog|citation|authors|contributing)(\.\w+)?"
    r"|(dataset_infos?|dataset_dict|state)\.json",
    re.IGNORECASE,
)
COMMAND = "hf download --repo-type dataset {id} --revision {revision}"


@dataclass(frozen=True)
class Found:
    """A file to read, and what the manifest calls it: never by an absolute path (C43)."""

    name: str
    path: Path
    shown: Path
    """What errors call it: `path` itself, or its place in the archive that it comes from."""


@dataclass(frozen=True)
class Place:
    """What a written path stands for."""

    files: tuple[Found, ...]
    skipped: tuple[SkippedFile, ...] = ()


def expand(written: str, folder: Path, read: Block = AUTO) -> Place:
    """The files that a path of a recipe stands for; an archive is one of them, still closed.

    A single file is not looked at, which is left to whoever reads it.

    Args:
        written: As in the recipe.
        folder: The recipe's folder.
        read: How the recipe says to read them; unless that is `auto`, every file is of this kind.

    Raises:
        RecipeError: A dataset of the hub without its exact revision, or the data catalogue.
        ResourceError: Nothing is there, or nothing that can be read.
    """
    if written.startswith(CATALOGUE):
        what = _("the data catalogue is not there yet")
        raise RecipeError(Problem(written, what, _("write the path of a file or a folder")))
    if written.startswith(HUB):
        return _of_hub(written, read)
    return _of_path(folder, written, "", read)


def opened(found: Found, work: Path, read: Block = AUTO) -> Place:
    """The files of an archive, unpacked into the folder `work`, which is made; itself otherwise.

    Raises:
        DataError: The archive is refused, by the name of a member (C77).
        ResourceError: Nothing in it can be read.
    """
    if not is_archive(found.path):
        return Place((found,))
    unpack(found.path, work)
    return _of_folder(found.name, work, found.shown, read)


def require_inputs(loaded: LoadedRecipe) -> dict[str, Path]:
    """Every data file of a recipe by the dotted path of its key, with its name where it is several.

    Raises:
        RecipeError, ResourceError: Something is not there; names each with its place in the recipe.
    """
    files: dict[str, Path] = {}
    failed: list[FoundryError] = []
    data, folder = loaded.recipe.data, loaded.path.parent
    given = [(f"{key}.path", source.path, source.read) for key, source in data.learned]
    given += [(f"data.tests.{n}.path", t.path, t.read) for n, t in enumerate(data.tests)]
    given += [(f"data.validation.{n}.path", v.path, v.read) for n, v in enumerate(data.validation)]
    for key, written, read in given:
        try:
            found = _there(expand(written, folder, read).files)
        except FoundryError as error:
            where = f"{loaded.origins[key]}: {key}"
            failed.append(type(error)([replace(p, where=where) for p in error.problems]))
            continue
        single = len(found) == 1 and found[0].path == folder / written
        files |= {key if single else f"{key}: {f.name}": f.path.resolve() for f in found}
    if failed:
        kind = next((type(e) for e in failed if isinstance(e, RecipeError)), ResourceError)
        raise kind([problem for error in failed for problem in error.problems])
    return files


def _there(found: Sequence[Found]) -> Sequence[Found]:
    """The same files, each of which exists."""
    for path in (file.path.resolve() for file in found):
        if not path.is_file():
            siblings = [f.name for f in path.parent.iterdir()] if path.parent.is_dir() else []
            near = nearest(path.name, siblings)
            fix = _("is it `{name}`?").format(name=near) if near else _("put the file there")
            raise ResourceError(Problem("", _("no such file: {path}").format(path=path), fix))
    return found


def _of_hub(written: str, read: Block) -> Place:
    """What lies in the cache of `huggingface_hub` for one revision of a dataset."""
    place = HUB_PLACE.fullmatch(written)
    if place is None:
        what = _("a dataset of the hub is named by its exact revision, 40 digits and letters a-f")
        fix = _("write `hub:owner/name@<revision>`; its page on the hub lists them under `commits`")
        raise RecipeError(Problem(written, what, fix))
    below = place["below"] or "."
    if ".." in PurePosixPath(below).parts:
        raise RecipeError(Problem(written, _("the path leads out of the dataset")))
    front = f"{HUB}{place['id']}@{place['revision']}"
    found = _of_path(_snapshot(place["id"], place["revision"]), below, front, read)
    if not all(file.path.is_file() for file in found.files):
        what = _("the dataset has no such file on this machine, and nothing is downloaded unasked")
        command = COMMAND.format(id=place["id"], revision=place["revision"])
        raise ResourceError(Problem(written, what, command))
    return found


def _snapshot(hub_id: str, revision: str) -> Path:
    """The folder of a revision in the cache, by the layout that huggingface_hub documents.

    Source: https://huggingface.co/docs/huggingface_hub/guides/manage-cache.
    """
    from huggingface_hub.constants import HF_HUB_CACHE
    from huggingface_hub.file_download import repo_folder_name

    dataset = repo_folder_name(repo_id=hub_id, repo_type="dataset")
    folder = Path(HF_HUB_CACHE) / dataset / "snapshots" / revision
    if not folder.is_dir():
        what = _("the dataset is not on this machine, and nothing is downloaded unasked")
        command = COMMAND.format(id=hub_id, revision=revision)
        raise ResourceError(Problem(f"{HUB}{hub_id}@{revision}", what, command))
    return folder


def _of_path(base: Path, written: str, front: str, read: Block) -> Place:
    """What `written`, relative to `base`, stands for; `front` comes before every name."""
    path, pure = base / written, PurePath(written)
    name = PurePosixPath(front, pure.name if pure.is_absolute() else pure.as_posix())
    if path.is_dir():
        return _of_folder(str(name), path, path, read)
    if path.exists() or not glob.has_magic(written):
        return Place((Found(str(name), path, path),))
    fixed = next(number for number, part in enumerate(pure.parts) if glob.has_magic(part))
    start, pattern = PurePath(*pure.parts[:fixed]), str(PurePath(*pure.parts[fixed:]))
    matches = sorted(glob.glob(pattern, root_dir=base / start, recursive=True))
    if not matches:
        fix = _("write another pattern, or put the files there")
        raise ResourceError(Problem(str(path), _("no file matches the pattern"), fix))
    name = PurePosixPath(front, start.name if start.is_absolute() else start.as_posix())
    top = Found(str(name), base / start, base / start)
    entries = [(PurePath(match).as_posix(), _linked(top.path, match)) for match in matches]
    return _chosen(entries, top, read)


def _linked(top: Path, match: str) -> str:
    """The reason not to read what a pattern found through a link: it may be found twice."""
    between = list(PurePath(match).parents)[:-1]
    return FOLDER_LINK if any((top / folder).is_symlink() for folder in between) else ""


def _of_folder(name: str, folder: Path, shown: Path, read: Block) -> Place:
    """Every file below `folder` that can be read; links to folders are not followed."""
    entries = sorted(_walk(folder))
    in_archive = folder != shown
    if in_archive:
        entries = [(e, reason or ARCHIVE * is_archive(folder / e)) for e, reason in entries]
    return _chosen(entries, Found(name, folder, shown), read)


def _walk(top: Path) -> Iterator[tuple[str, str]]:
    """Each entry below `top`, relative to it, and why it is not looked at, empty if it is."""
    denied: list[OSError] = []
    for folder, subfolders, files in os.walk(top, onerror=denied.append):
        below = Path(folder).relative_to(top)
        for name in list(subfolders):
            hidden, link = _is_hidden(name), (Path(folder) / name).is_symlink()
            if hidden or link:
                subfolders.remove(name)
                yield f"{(below / name).as_posix()}/", HIDDEN if hidden else FOLDER_LINK
        for name in files:
            yield (below / name).as_posix(), ""
    for error in denied:
        yield f"{Path(error.filename).relative_to(top).as_posix()}/", UNREADABLE


def _is_hidden(name: str) -> bool:
    """Whether a program keeps the file for itself, such as Office its locks."""
    return name.startswith((".", "~$")) or name.casefold() in ("thumbs.db", "desktop.ini")


def _chosen(entries: Sequence[tuple[str, str]], top: Found, read: Block) -> Place:
    """The entries below `top` that can be read, and the others with their reasons."""
    files, skipped = [], []
    for entry, reason in entries:
        written, path = str(PurePosixPath(top.name, entry)), top.path / entry
        name = written.encode("utf-8", "backslashreplace").decode()
        reason = reason or (_why_not(path, read) if name == written else NAME)
        if reason:
            skipped.append(SkippedFile(name, reason))
        else:
            files.append(Found(name, path, top.shown / entry))
    if not files:
        raise ResourceError(_nothing_read(top, skipped[:MOST_NAMED]))
    return Place(tuple(files), tuple(skipped))


def _nothing_read(top: Found, skipped: Sequence[SkippedFile]) -> Problem:
    if not skipped:
        what = _("there is no file in it")
        return Problem(str(top.shown), what, _("put the data there, or name another `path`"))
    what = _("there is no file that can be read; not read are: {files}")
    files = ", ".join(f"{s.path} ({not_read(s.reason)[0]})" for s in skipped)
    fixes = dict.fromkeys(fix for _why, fix in (not_read(s.reason) for s in skipped))
    return Problem(str(top.shown), what.format(files=files), "; ".join(fixes))


def _why_not(path: Path, read: Block) -> str:
    """Why a file that a folder or a pattern gives is not read; empty if it is."""
    if _is_hidden(path.name):
        return HIDDEN
    try:
        if not path.is_file():
            return NO_FILE
        if ABOUT.fullmatch(path.name):
            return ABOUT_DATA
        if read.kind != AUTO.kind or is_archive(path) or path.suffix.lower() in by_suffix():
            return ""
        if signature(path) != "gzip":
            kind_of(path)
    except DataError:
        return UNKNOWN_KIND
    except OSError:
        return UNREADABLE
    return ""
