"""Download a base model from the hub.

Beside the judge that a recipe names (`evals.endpoint`), the only code that leaves this machine.

The hub's own client lists, requests and lays out the files in its cache. Between the two stands
what it lacks (2.4): a file that broke off is gone on with by the next process (the client removes
it), and no file enters the cache before it has the hash that the hub states for it. Plain HTTP is
used, not Xet: Xet's client restarts a file from zero and opens connections of its own.
"""

import glob
import os
import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from foundry.core import atomic
from foundry.core.errors import LockedError, Problem, ResourceError
from foundry.core.events import Events
from foundry.core.language import gettext as _
from foundry.core.sizes import readable
from foundry.core.version import version
from foundry.models import access
from foundry.models.folder import INDEX, check_folder, is_wanted, weight_names
from foundry.models.names import Wanted
from foundry.models.quiet import online
from foundry.models.receive import RemoteFile, digest, other_hash, part_of, receive, size_of

ANSWER_WITHIN_S = 20


@dataclass(frozen=True)
class Fetched:
    """What lies on this machine now, or would with `--dry-run`."""

    hub_id: str
    revision: str
    folder: str
    files: dict[str, int]
    size_bytes: int
    downloaded_bytes: int


@dataclass(frozen=True)
class _Repository:
    """One commit of a repository, and where the hub's cache keeps it."""

    api: Any
    hub_id: str
    revision: Any
    storage: Path

    @property
    def commit(self) -> str:
        return str(self.revision.resolved)

    @property
    def snapshot(self) -> Path:
        return self.storage / "snapshots" / self.commit

    def blob(self, file: RemoteFile) -> Path:
        return self.storage / "blobs" / file.digest

    def has(self, file: RemoteFile) -> bool:
        return self.blob(file).is_file() or (self.snapshot / file.name).is_file()


def fetch(wanted: Wanted, events: Events, *, dry_run: bool = False) -> Fetched:
    """Download what is missing of a model and check every file.

    Args:
        wanted: A model with a hub id.
        events: Told of the bytes as they arrive.
        dry_run: Ask the hub what there is, and download nothing.

    Raises:
        ResourceError: The hub cannot be reached or refuses (see `access`), the disk is too small,
            a file has another hash than the hub states, or the model is of a kind that is not
            opened (C73, C74).
        LockedError: Another process fetches the same model.
    """
    with online(), access.explained(wanted):
        repository = _find(wanted)
        files = _listed(repository, wanted)
        if dry_run:
            return _fetched(repository, files, 0)
        with _held(repository):
            settings = [file for file in files if not file.name.endswith(".safetensors")]
            received = _bring(repository, settings, events)
            check_folder(repository.snapshot, besides={INDEX})
            weights = _weights(repository, files)
            received += _bring(repository, weights, events)
        check_folder(repository.snapshot)
        return _fetched(repository, [*settings, *weights], received)


def _find(wanted: Wanted) -> _Repository:
    from huggingface_hub import HfApi, constants
    from huggingface_hub.file_download import repo_folder_name

    assert wanted.hub_id is not None
    api = HfApi(
        endpoint=access.endpoint(),
        library_name="ai-foundry",
        library_version=version(),
    )
    asked = {"revision": wanted.revision}
    api.model_info(wanted.hub_id, **asked, timeout=ANSWER_WITHIN_S)
    revision = api.resolve_revision(wanted.hub_id, **asked, cache_dir=constants.HF_HUB_CACHE)
    _hexadecimal(revision.resolved)
    name = repo_folder_name(repo_id=wanted.hub_id, repo_type="model")
    return _Repository(api, wanted.hub_id, revision, Path(constants.HF_HUB_CACHE) / name)


def _listed(repository: _Repository, wanted: Wanted) -> list[RemoteFile]:
    """The files of the repository that we would open, weights in safetensors among them."""
    from huggingface_hub.hf_api import RepoFile

    tree = repository.api.list_repo_tree(
        repository.hub_id, recursive=True, revision=repository.commit
    )
    every = [f for f in tree if isinstance(f, RepoFile)]
    found = [
        RemoteFile(f.path, f.size, _hexadecimal(f.lfs.sha256 if f.lfs else f.blob_id))
        for f in every
        if is_wanted(f.path)
    ]
    names = {file.name for file in found}
    if "config.json" not in names:
        what = _("holds no config.json: it is not a model that transformers can load")
        raise ResourceError(Problem(wanted.address, what, _("see `foundry model list`")))
    if not any(name.endswith(".safetensors") for name in names):
        pickles = ", ".join(f.path for f in every if f.path.endswith((".bin", ".pt", ".pth")))
        what = _("has no weights in safetensors (found: {found})").format(found=pickles or "-")
        fix = _("use another repository or revision; pickled weights may run code")
        raise ResourceError(Problem(wanted.address, what, fix))
    return found


def _hexadecimal(name: str) -> str:
    """A hash as the hub states it; it becomes part of a path on this machine."""
    if not re.fullmatch(r"[0-9a-f]{40}|[0-9a-f]{64}", name):
        what = _("{endpoint} answers what a hub would not").format(endpoint=access.endpoint())
        raise ResourceError(Problem("HF_ENDPOINT", what, _("check the address of the mirror")))
    return name


def _weights(repository: _Repository, files: Sequence[RemoteFile]) -> list[RemoteFile]:
    """The weights that are loaded; some repositories hold them a second time, merged."""
    names = {file.name for file in files if file.name.endswith(".safetensors")}
    chosen = weight_names(repository.snapshot, names)
    return [file for file in files if file.name in chosen]


def _bring(repository: _Repository, files: Sequence[RemoteFile], events: Events) -> int:
    """Get what is missing of `files` into the cache, check all; the bytes that were received."""
    missing = [file for file in files if not repository.has(file)]
    _check_room(repository, missing)
    received = sum(_receive(repository, file, events) for file in missing)
    if not all((repository.snapshot / file.name).is_file() for file in files):
        _lay_out(repository, files)
    for file in files:
        _check(repository.snapshot / file.name, file, is_new=file in missing)
    return received


def _receive(repository: _Repository, file: RemoteFile, events: Events) -> int:
    from huggingface_hub import hf_hub_url

    url = hf_hub_url(
        repository.hub_id, file.name, revision=repository.commit, endpoint=repository.api.endpoint
    )

    def tell(done: int) -> None:
        events.emit("fetch", "bytes", name=file.name, done=done, of=file.size)

    return receive(url, file, repository.blob(file), tell)


def _lay_out(repository: _Repository, files: Sequence[RemoteFile]) -> None:
    """Let the hub's client link the snapshot to what is in its store."""
    repository.api.snapshot_download(
        repository.hub_id,
        revision=repository.revision,
        allow_patterns=[glob.escape(file.name) for file in files],
        cache_dir=repository.storage.parent,
    )


def _check(path: Path, file: RemoteFile, *, is_new: bool) -> None:
    """A file of the snapshot is what the hub states; one that is not is removed.

    A new file was hashed when it came, and its link leads to its hash. What was here already is
    hashed: another program may have brought it, or the disk changed it.
    """
    is_link = is_new and path.is_symlink()
    found = Path(os.readlink(path)).name if is_link else digest(path, file)
    if found != file.digest:
        for damaged in {path.resolve(), path}:
            damaged.unlink()
        raise ResourceError(other_hash(file, found))


def _check_room(repository: _Repository, missing: Sequence[RemoteFile]) -> None:
    existing = next(p for p in (repository.storage, *repository.storage.parents) if p.exists())
    needed = sum(file.size - size_of(part_of(repository.blob(file))) for file in missing)
    free = shutil.disk_usage(existing).free
    if needed > free:
        what = _("{needed} more are needed on disk; {free} are free")
        what = what.format(needed=readable(needed), free=readable(free))
        fix = _("free some space, or set HF_HUB_CACHE to a folder on another disk")
        raise ResourceError(Problem(str(repository.storage.parent), what, fix))


@contextmanager
def _held(repository: _Repository) -> Iterator[None]:
    """Hold the model for this process.

    Raises:
        LockedError: Another process fetches it; names its process id.
    """
    folder = repository.storage.parent / ".locks" / repository.storage.name
    folder.mkdir(parents=True, exist_ok=True)
    lock, owner = FileLock(folder / "foundry.lock", timeout=0), folder / "foundry.owner"
    try:
        lock.acquire()
    except Timeout as error:
        pid = owner.read_text(encoding="utf-8") if owner.exists() else "?"
        what = _("another process fetches this model (process {pid})").format(pid=pid)
        fix = _("wait for it to end, or stop it with `kill {pid}`").format(pid=pid)
        raise LockedError(Problem(repository.hub_id, what, fix)) from error
    try:
        atomic.write_text(owner, str(os.getpid()))
        yield
    finally:
        owner.unlink(missing_ok=True)
        lock.release()


def _fetched(repository: _Repository, files: Sequence[RemoteFile], received: int) -> Fetched:
    return Fetched(
        hub_id=repository.hub_id,
        revision=repository.commit,
        folder=str(repository.snapshot),
        files={file.name: file.size for file in files},
        size_bytes=sum(file.size for file in files),
        downloaded_bytes=received,
    )
