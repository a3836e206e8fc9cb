"""Put a proven package into a registry, get it out again, and say what became of it."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from foundry.core import atomic
from foundry.core.errors import DataError, LicenceError, Problem, RecipeError, ResourceError
from foundry.core.language import gettext as _
from foundry.delivery import package_record, signature, sums
from foundry.delivery.package_record import PackageRecord
from foundry.delivery.verify import VerifyReport, verify
from foundry.store.keys import PrivateKey
from foundry.store.registry import STAGES, Registry
from foundry.store.registry_index import Published
from foundry.store.status_log import Event, Kind, Subject

# What a name and a version may be made of: they stand in commands, as NAME@VERSION.
WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,63}")
Exact = tuple[str, str]  # name and version


@dataclass(frozen=True)
class Publishing:
    """A package that is in order, and what it is to be called; nothing is written yet."""

    package: Path
    report: VerifyReport
    subject: Subject
    details: dict[str, Any]
    files: dict[str, str]  # name in the package -> hash, all files

    @classmethod
    def of(cls, package: Path, name: str | None, version: str | None) -> "Publishing":
        """Check a package.

        Args:
            package: Its folder.
            name: What it is called in the registry; its own name where None.
            version: Its version there; its own where None.

        Raises:
            LicenceError: A licence does not allow that name.
            ProofError: The package is not in order, or not proven.
            RecipeError: The name or version is none.
        """
        report = verify(package)
        name, version = name or report.name, version or report.version
        _check_words(name, version)
        record = package_record.read(package)
        _check_name(record, name)
        hashes = sums.read(package).hashes
        unlisted = {file: atomic.sha256(package / file) for file in _unlisted(report)}
        details = {
            "files": report.files,
            "size_bytes": report.size_bytes,
            "licences": list(report.licences),
            "base_model": record.base.name,
            "override": report.override,
            "signature": unlisted.get(signature.NAME),
        }
        subject = Subject(name, version, sums.digest(hashes))
        return cls(package, report, subject, details, {**hashes, **unlisted})


def _unlisted(report: VerifyReport) -> list[str]:
    return [sums.NAME, *([signature.NAME] if report.signed else [])]


def _check_words(name: str, version: str) -> None:
    wrong = {"--name": name, "--version": version}
    what = _("`{word}` has other signs than letters, digits and . _ + - or is too long")
    problems = [
        Problem(option, what.format(word=word), _("give another"))
        for option, word in wrong.items()
        if not WORD.fullmatch(word)
    ]
    if problems:
        raise RecipeError(problems)


def _check_name(record: PackageRecord, name: str) -> None:
    """Refuse a name that a licence does not allow, as Llama's asks for its own at the front."""
    if name == record.name:
        return
    known = {(one.rule, one.where) for one in record.verdict().conflicts}
    renamed = record.model_copy(update={"name": name})
    problems = [
        Problem("--name", one.what, one.fix)
        for one in renamed.verdict().conflicts
        if (one.rule, one.where) not in known
    ]
    if problems:
        raise LicenceError(problems)


@dataclass(frozen=True)
class Outcome:
    """What `publish` did; `is_new` is false where the same content was there already."""

    published: Published
    is_new: bool


def publish(registry: Registry, publishing: Publishing, key: PrivateKey) -> Outcome:
    """Copy every file into the registry, then say so in a signed event.

    Raises:
        DataError: Another package has this name and version.
    """
    written = False

    def put_all() -> None:
        for name, digest in publishing.files.items():
            registry.objects.put(publishing.package / name, digest)

    def check(before: Published | None) -> bool:
        nonlocal written
        _refuse_other(before, publishing.subject.manifest)
        if before is None and not all(map(registry.objects.has, publishing.files.values())):
            put_all()  # a repair took what no event spoke of yet
        written = before is None
        return written

    with registry.index() as index:  # what is refused in the end need not be copied before
        before = index.package(publishing.subject.name, publishing.subject.version)
    _refuse_other(before, publishing.subject.manifest)
    put_all()
    subject, details = publishing.subject, publishing.details
    found = registry.add("published", subject, details, key, check=check)
    return Outcome(found, written)


def _refuse_other(before: Published | None, manifest: str) -> None:
    if before is None or before.manifest == manifest:
        return
    what = _("is there with other content (published {at})").format(at=before.published_at)
    where = f"{before.name}@{before.version}"
    raise DataError(Problem(where, what, _("give the new one another `--version`")))


def promote(registry: Registry, of: Exact, stage: str, key: PrivateKey) -> Published:
    """Move a version to a stage, back too.

    Raises:
        DataError: It is retired.
        RecipeError: There is no such stage.
        ResourceError: It was not published.
    """
    if stage not in STAGES:
        what = _("no such stage: {stage}").format(stage=stage)
        fix = _("use one of: {names}").format(names=", ".join(STAGES))
        raise RecipeError(Problem("STAGE", what, fix))

    def check(before: Published | None) -> bool:
        assert before is not None
        _refuse_retired(before)
        return before.stage != stage

    return _added(registry, "promoted", of, {"stage": stage}, key, check)


def retire(registry: Registry, of: Exact, reason: str, key: PrivateKey) -> Published:
    """Say that a version is not to be used any more; it stays as it is.

    Raises:
        DataError: It is retired already.
        ResourceError: It was not published.
    """

    def check(before: Published | None) -> bool:
        assert before is not None
        _refuse_retired(before)
        return True

    return _added(registry, "retired", of, {"reason": reason}, key, check)


def mark(registry: Registry, of: Exact, kind: Kind, reason: str, key: PrivateKey) -> Published:
    """Say that a subject of its data was erased, or that data of it are past their time.

    Raises:
        ResourceError: It was not published.
    """
    return _added(registry, kind, of, {"reason": reason}, key, lambda before: True)


def _added(
    registry: Registry,
    kind: Kind,
    of: Exact,
    details: dict[str, Any],
    key: PrivateKey,
    check: Callable[[Published | None], bool],
) -> Published:
    if len(details.get("reason", "-").strip().splitlines()) != 1:
        what, fix = _("is empty, or more than a line"), _("say why, in a sentence")
        raise RecipeError(Problem("--reason", what, fix))
    found = registry.find(*of)
    subject = Subject(found.name, found.version, found.manifest)
    return registry.add(kind, subject, details, key, check=check)


def _refuse_retired(found: Published) -> None:
    if found.retired is not None:
        what = _("is retired: {reason}").format(reason=found.retired)
        fix = _("use another version: `foundry registry show {name}`").format(name=found.name)
        raise DataError(Problem(f"{found.name}@{found.version}", what, fix))


def get(registry: Registry, found: Published, out: Path, *, even_retired: bool) -> VerifyReport:
    """Lay a published package out in a folder of its own, and check it.

    Raises:
        DataError: It is retired, or a file of it is damaged in the registry.
        ProofError: What came out is not in order.
        ResourceError: The folder is there already.
    """
    if not even_retired:
        _refuse_retired(found)
    if out.exists() or out.is_symlink():
        what, fix = _("is there already"), _("give another folder: `--out DIR`")
        raise ResourceError(Problem(str(out), what, fix))
    with atomic.replacing_folder(out) as folder:
        registry.objects.get(found.manifest, folder / sums.NAME)
        for name, digest in sums.read(folder).hashes.items():
            registry.objects.get(digest, folder / name)
        if found.signature is not None:
            registry.objects.get(found.signature, folder / signature.NAME)
        verify(folder)
    return verify(out)


def status(registry: Registry, package: Path) -> list[dict[str, Any]]:
    """What a registry knows of a package that lies in a folder, oldest first; for `verify`."""
    manifest = sums.digest(sums.read(package).hashes)
    with registry.index() as index:
        return [told(event) for event in index.events(manifest)]


def told(event: Event) -> dict[str, Any]:
    """An event as `--json` prints it."""
    said = event.model_dump(include={"number", "kind", "name", "version", "at", "by"})
    return {**said, "details": dict(event.details), "hash": event.hash}
