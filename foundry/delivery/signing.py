"""Sign a package that is in order, and no other."""

from pathlib import Path

from foundry.core import atomic
from foundry.core.errors import DataError, Problem
from foundry.core.language import gettext as _
from foundry.delivery import package_record, signature, sums
from foundry.delivery.signature import Signature
from foundry.delivery.verify import verify
from foundry.store.keys import PrivateKey


def sign(package: Path, key: PrivateKey, *, replace: bool = False) -> Signature:
    """Check a package and write `signature.json` into it.

    Args:
        package: The package's folder.
        key: Whose signature it is to be.
        replace: Put it in the place of another key's; one of the same key is always replaced.

    Raises:
        DataError: Another key has signed it.
        ProofError: The package is not in order, its present signature apart where it is replaced.
    """
    before = None if replace else signature.read(package)
    if before is not None and before.public_key != key.public.text:
        what = _("another key has signed it ({found})").format(found=before.fingerprint)
        raise DataError(Problem(signature.NAME, what, _("give `--replace` to put yours there")))
    verify(package, signed=False)
    made = signature.make(package_record.read(package), sums.read(package).hashes, key)
    atomic.write_text(package / signature.NAME, made.as_text())
    return made
