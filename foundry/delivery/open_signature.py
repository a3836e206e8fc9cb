"""A signature by `model-signing` (OpenSSF), for those who check with that; beside the package.

Its format is sigstore's bundle, its keys are elliptic curves of NIST (P-256, P-384, P-521), not
Ed25519; no server is asked. It stands beside the package, `PACKAGE.sig`, since it signs every file
in it, `signature.json` too.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from foundry.core.errors import Problem, ProofError, RecipeError, ResourceError
from foundry.core.language import gettext as _
from foundry.delivery.verify import verify as check_package

LIBRARY = "model-signing"
KEYS = "openssl ecparam -name prime256v1 -genkey -noout -out FILE"


def place(package: Path) -> Path:
    """Where the signature of a package is."""
    return package.with_name(f"{package.name}.sig")


def sign(package: Path, key: Path, phrase: str | None) -> Path:
    """Check a package and sign all of its files; where the signature is.

    Args:
        package: Its folder.
        key: A private key (PEM).
        phrase: The passphrase of the key, if it has one.

    Raises:
        ProofError: The package is not in order.
        RecipeError: The key is of another kind, or its passphrase does not open it.
        ResourceError: The library is not installed, or the key is not there.
    """
    config = _library("signing").Config()
    check_package(package)
    try:
        config.use_elliptic_key_signer(
            private_key=key, password=None if phrase is None else phrase.encode()
        )
    except FileNotFoundError as error:
        raise _no_key(key) from error
    except Exception as error:
        raise _wrong_key(key) from error
    config.sign(package, place(package))
    return place(package)


def verify(package: Path, key: Path) -> None:
    """Check the signature beside a package.

    Raises:
        ProofError: It is not of these files or not by this key.
        RecipeError: The key is of another kind.
        ResourceError: The library, the key or the signature is not there.
    """
    config = _library("verifying").Config()
    path = place(package)
    if not path.is_file():
        what, fix = _("the package is not signed"), _("ask for a signed one")
        raise ResourceError(Problem(path.name, what, fix))
    try:
        config.use_elliptic_key_verifier(public_key=key)
    except FileNotFoundError as error:
        raise _no_key(key) from error
    except Exception as error:
        raise _wrong_key(key) from error
    try:
        config.verify(package, path)
    except Exception as error:  # whatever a bundle that is none makes of the library
        raise ProofError(list(_told(path.name, str(error)))) from error


def _told(name: str, said: str) -> Iterator[Problem]:
    """What the library said, by the files that it names."""
    files = re.findall(r"Hash mismatch for '([^']+)'", said)
    for file in files:
        yield Problem(file, _("the file was changed after {name} was made").format(name=name))
    if not files:
        what = _("not these files, or not this key ({error})")
        yield Problem(name, what.format(error=" ".join(said.split())[:200]))


def _library(part: str) -> Any:
    try:
        from model_signing import signing, verifying
    except ImportError as error:
        what, fix = _("the package is not installed"), "pip install 'ai-foundry[sign]'"
        raise ResourceError(Problem(LIBRARY, what, fix)) from error
    return {"signing": signing, "verifying": verifying}[part]


def _no_key(path: Path) -> ResourceError:
    return ResourceError(Problem(str(path), _("no such file"), KEYS))


def _wrong_key(path: Path) -> RecipeError:
    what = _("not a key of the elliptic curves that {library} takes, or not its passphrase")
    return RecipeError(Problem(str(path), what.format(library=LIBRARY), KEYS))
