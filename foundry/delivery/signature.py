"""`signature.json`: who stands for a package. Written into it, and the one file it does not list.

Signed is a statement that holds the hash of the sorted `SHA256SUMS`, and so every file; the time
and the name of the package are signed with it. A signature says which key made it, never that the
key is to be trusted: that only its reader can say, with `foundry verify --key`.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import ValidationError

from foundry.core import atomic
from foundry.core.errors import Problem, ProofError
from foundry.core.fields import Closed
from foundry.core.language import gettext as _
from foundry.core.moment import now
from foundry.core.recipe import Words
from foundry.delivery import sums
from foundry.delivery.package_record import MAX_BYTES, PackageRecord, Sha256
from foundry.store.keys import ALGORITHM, PrivateKey, PublicKey

NAME = sums.SIGNATURE
# Keeps what is signed here from being read as a signature of anything else.
CONTEXT = b"AI Foundry package signature, version 1\n"


class Signature(Closed):
    """The whole of `signature.json`; all but `signature` is signed."""

    schema_version: Literal[1]
    algorithm: Literal["Ed25519"]
    public_key: Words
    fingerprint: Words
    package: Words
    version: Words
    manifest: Literal["SHA256SUMS"]
    manifest_sha256: Sha256
    signed_at: Words
    signature: Words

    def message(self) -> bytes:
        """The bytes that are signed: the statement as JSON with sorted keys and no spaces."""
        return _message(self.model_dump(exclude={"signature"}))

    def as_text(self) -> str:
        """The file, byte by byte."""
        return json.dumps(self.model_dump(), ensure_ascii=False, indent=2) + "\n"


def _message(statement: dict[str, Any]) -> bytes:
    return CONTEXT + atomic.CANONICAL.encode(statement).encode("utf-8")


@dataclass(frozen=True)
class Signed:
    """What `verify` tells of a signature that is in order."""

    fingerprint: str
    public_key: str
    signed_at: str
    is_expected: bool | None  # None where no key was given to compare with


def make(record: PackageRecord, hashes: dict[str, str], key: PrivateKey) -> Signature:
    """Sign the files of a package, now."""
    statement = {
        "schema_version": 1,
        "algorithm": ALGORITHM,
        "public_key": key.public.text,
        "fingerprint": key.public.fingerprint,
        "package": record.name,
        "version": record.version,
        "manifest": sums.NAME,
        "manifest_sha256": sums.digest(hashes),
        "signed_at": now(),
    }
    return Signature(**statement, signature=key.sign(_message(statement)))


def read(package: Path) -> Signature | None:
    """The signature of a package's folder, None where it has none; it is not checked.

    Raises:
        ProofError: It is not in its form.
    """
    path = package / NAME
    if not path.is_symlink() and not path.exists():
        return None
    fix = _("sign the package again, or ask who gave it to you")
    if path.is_symlink() or not path.is_file() or path.stat().st_size > MAX_BYTES:
        raise ProofError(Problem(NAME, _("not a file of the expected kind"), fix))
    content = path.read_bytes()
    try:
        found = Signature.model_validate(json.loads(content))
    except (ValidationError, ValueError, RecursionError) as error:
        raise ProofError(Problem(NAME, _("not a signature in its form"), fix)) from error
    if found.as_text().encode("utf-8") != content:
        raise ProofError(Problem(NAME, _("not a signature in its form"), fix))
    return found


def check(
    package: Path, record: PackageRecord, hashes: dict[str, str], key: PublicKey | None
) -> tuple[Signed | None, list[Problem]]:
    """Who signed these files, and what is wrong with the signature.

    Args:
        package: The package's folder.
        record: Its `package.json`.
        hashes: What its `SHA256SUMS` lists.
        key: Whose signature it must have; None where anyone's will do, or none.
    """
    try:
        found = read(package)
    except ProofError as error:
        return None, list(error.problems)
    if found is None:
        what, fix = _("the package is not signed"), _("ask for a signed one")
        return None, [] if key is None else [Problem(NAME, what, fix)]
    problems = [*_own_faults(found), *_other_files(found, record, hashes)]
    if key is not None and found.public_key != key.text:
        what = _("signed by another key ({found}), not by the one you gave ({wanted})")
        what = what.format(found=found.fingerprint, wanted=key.fingerprint)
        problems.append(Problem(NAME, what, _("do not use it before you know whose key that is")))
    expected = None if key is None else found.public_key == key.text
    return Signed(found.fingerprint, found.public_key, found.signed_at, expected), problems


def _own_faults(found: Signature) -> list[Problem]:
    """Whether the key that it names made it."""
    try:
        key = PublicKey.of_text(found.public_key)
    except ValueError:
        return [Problem(NAME, _("what it names is no public key"), sums.again())]
    problems = []
    if key.fingerprint != found.fingerprint:
        what = _("the fingerprint is not that of the public key ({found})")
        problems.append(Problem(NAME, what.format(found=key.fingerprint), sums.again()))
    if not key.has_signed(found.message(), found.signature):
        what = _("the key that it names did not sign this ({found})")
        problems.append(Problem(NAME, what.format(found=key.fingerprint), sums.again()))
    return problems


def _other_files(found: Signature, record: PackageRecord, hashes: dict[str, str]) -> list[Problem]:
    """Whether it was made for these files."""
    if (found.package, found.version) != (record.name, record.version):
        what = _("the signature of another package ({found})")
        return [Problem(NAME, what.format(found=f"{found.package}@{found.version}"), sums.again())]
    if found.manifest_sha256 == sums.digest(hashes):
        return []
    what = _(
        "not these files were signed: a file and {sums} were changed after it, "
        "or it is the signature of another package ({found})"
    )
    what = what.format(sums=sums.NAME, found=f"{found.package}@{found.version}")
    return [Problem(NAME, what, _("ask for the package as it was signed"))]
