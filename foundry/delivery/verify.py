"""Whether a package is whole, unchanged and proven: every fault at once, each with its file.

Needs no model and none of the libraries that train; a package may come from anyone.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from foundry.core.errors import FoundryError, Problem, ProofError, ResourceError
from foundry.core.language import gettext as _
from foundry.core.records import Record
from foundry.delivery import (
    bills,
    claims_check,
    openness,
    package_record,
    parity_record,
    private,
    signature,
    sums,
)
from foundry.delivery.card import taint
from foundry.delivery.claims import shown
from foundry.delivery.documents import CARDS
from foundry.delivery.package_record import Artefact, Override, PackageRecord
from foundry.delivery.signature import Signed
from foundry.policy.duties import CARD, missing
from foundry.store.keys import PublicKey


@dataclass(frozen=True)
class VerifyReport(Record):
    """What was found to be in order."""

    package: str
    name: str
    version: str
    files: int
    size_bytes: int
    exports: tuple[str, ...]
    licences: tuple[str, ...]
    override: str | None
    signed: Signed | None


def verify(package: Path, *, key: PublicKey | None = None, signed: bool = True) -> VerifyReport:
    """Check every file and record of a package.

    Args:
        package: Its folder.
        key: Whose signature it must have.
        signed: Whether to look at its signature; false only where a new one is about to be made.

    Raises:
        ProofError: Names each file that was changed, added, lost or is no plain file, and each
            record that is not in order; a signature that is not of these files or of that key.
        ResourceError: There is no such folder.
    """
    if not package.is_dir():
        what, fix = _("no such folder"), _("give the folder that holds package.json")
        raise ResourceError(Problem(str(package), what, fix))
    listed = sums.read(package)
    problems = [*listed.problems, *sums.compare(package, listed.hashes)]
    try:
        record = package_record.read(package)
    except ProofError as error:
        raise ProofError([*problems, *error.problems]) from error
    problems += _record_problems(package, record, listed.hashes)
    signer = None
    if signed:
        signer, faults = signature.check(package, record, listed.hashes, key)
        problems += faults
    if problems:
        raise ProofError(list(dict.fromkeys(problems)))
    files = [*listed.hashes, sums.NAME, *([signature.NAME] if signer else [])]
    return VerifyReport(
        package=str(package),
        name=record.name,
        version=record.version,
        files=len(files),
        size_bytes=sum((package / name).stat().st_size for name in files),
        exports=tuple(export.name for export in record.exports),
        licences=record.licences,
        override=None if record.override is None else record.override.reason,
        signed=signer,
    )


def verify_for_chat(package: Path) -> PackageRecord:
    """Check only what a chat reads: the record, the template and the file that is loaded.

    Raises:
        ProofError: One of them is not what `SHA256SUMS` says.
        ResourceError: The package holds no file that llama.cpp runs.
    """
    hashes = sums.read(package).hashes
    record = package_record.read(package)
    if any(parity_record.says_reward(export.parity) for export in record.exports):
        what = _("it is a reward model, which says how good an answer is and writes none")
        fix = _("read under Use in its {card} how to ask it").format(card=CARD)
        raise ResourceError(Problem(str(package), what, fix))
    if record.chat.artefact is None:
        what, fix = _("no export of it can be run"), _("add `- kind: gguf` under `exports`")
        raise ResourceError(Problem(str(package), what, fix))
    needed = (package_record.NAME, record.chat.template, record.chat.artefact)
    problems = [
        *_path_problems(record),
        *(p for name in needed for p in _intact(package, name, hashes)),
    ]
    if problems:
        raise ProofError(problems)
    return record


def _intact(package: Path, name: str, hashes: dict[str, str]) -> Iterator[Problem]:
    if name not in hashes:
        what = _("the file is not listed in {sums}").format(sums=sums.NAME)
        yield Problem(name, what)
    elif sums.is_inside(name):
        problems = sums.compare(package, {name: hashes[name]})
        yield from (problem for problem in problems if problem.where == name)


def _record_problems(
    package: Path, record: PackageRecord, hashes: dict[str, str]
) -> Iterator[Problem]:
    yield from _path_problems(record)
    template = record.chat.template
    if hashes.get(template) != record.chat.template_sha256:
        what = _("not the template that was trained ({name} has another SHA-256)")
        yield Problem(template, what.format(name=package_record.NAME))
    for export in record.exports:
        yield from _export_problems(export, hashes)
    if record.chat.artefact is not None and record.chat.artefact not in hashes:
        yield Problem(record.chat.artefact, _("the file to chat with is not in the package"))
    for name in sorted({*record.licences} ^ {term.licence for term in record.terms}):
        what = _("`licences` and `terms` do not agree on {name}").format(name=name)
        yield Problem(package_record.NAME, what)
    try:
        yield from missing(package, record.duties(), record.name)
        yield from openness.differs(package, record)
        yield from bills.problems(package)
    except FoundryError as error:
        yield from error.problems
    yield from claims_check.problems(package, CARDS)
    yield from private.findings(package, private.Private())
    if record.override is not None:
        yield from _hidden_override(package, record.override)


def _hidden_override(package: Path, override: Override) -> Iterator[Problem]:
    """Words on the card that say, in both languages, that a conflict was gone past."""
    path = package / CARD
    text = path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
    said = taint(conflict.rule for conflict in override.conflicts)
    sentences = [sentence for words in said for sentence in words.values()]
    for sentence in (*sentences, shown("one line", override.reason)):
        if sentence not in text:
            what = _("the card does not say what its maker went past: {sentence}")
            yield Problem(CARD, what.format(sentence=sentence), sums.again())


def _path_problems(record: PackageRecord) -> Iterator[Problem]:
    """Names that lead out of the package (C77)."""
    names = [record.chat.template, record.chat.artefact or record.chat.template]
    names += [name for e in record.exports for name in (e.path, *e.files)]
    for name in names:
        if not sums.is_inside(name):
            what = _("the name leads out of the package ({name})").format(name=name)
            yield Problem(package_record.NAME, what)


def _export_problems(export: Artefact, hashes: dict[str, str]) -> Iterator[Problem]:
    for name, digest in export.files.items():
        if hashes.get(name) != digest:
            what = _("not the file that was proven ({record} has another SHA-256)")
            yield Problem(name, what.format(record=package_record.NAME))
    inside = {name for name in hashes if name.startswith(export.path + "/")}
    for name in sorted(inside - set(export.files)):
        yield Problem(name, _("not one of the files that were proven"))
    try:
        yield from parity_record.failures(export.name, export.parity)
    except (TypeError, KeyError) as error:
        what = _("the parity record is not in its form ({error})").format(error=error)
        yield Problem(f"export.{export.name}", what)
