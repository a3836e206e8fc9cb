"""A signature by model-signing: made and checked with a key in a file, nobody else is asked."""

import shutil
from pathlib import Path

import pytest

from foundry.core.errors import ProofError, RecipeError, ResourceError
from foundry.delivery import open_signature
from tests.cases import case, change
from tests.delivery.signed import mend
from tests.tiny_recipe import call

pytest.importorskip("model_signing")


@pytest.fixture
def key(tmp_path: Path) -> Path:
    """A key of the curve P-256; the public one is `key.pub` beside it."""
    from cryptography.hazmat.primitives import serialization as form
    from cryptography.hazmat.primitives.asymmetric import ec

    made = ec.generate_private_key(ec.SECP256R1())
    path = tmp_path / "key.pem"
    path.write_bytes(
        made.private_bytes(form.Encoding.PEM, form.PrivateFormat.PKCS8, form.NoEncryption())
    )
    public = form.PublicFormat.SubjectPublicKeyInfo
    (tmp_path / "key.pub").write_bytes(made.public_key().public_bytes(form.Encoding.PEM, public))
    return path


def run(verb: str, package: Path, key: Path, code: int = 0) -> str:
    outcome = call(verb, str(package), "--with", "model-signing", "--key", str(key))
    assert outcome.code == code, outcome
    return outcome.out + outcome.err


def test_signature_stands_beside_the_package_and_is_checked(package, key):
    assert "package.sig" in run("sign", package, key)

    assert "by model-signing" in run("verify", package, key.with_name("key.pub"))
    assert not (package / "package.sig").exists()
    assert open_signature.place(package).is_file()


def unchecked(package: Path, key: Path) -> None:
    """Look at no signature."""


@case("open signature", {"nobody checks": change(open_signature, "verify", unchecked)})
def test_file_that_was_changed_and_mended_is_named(package, key):
    run("sign", package, key)
    with (package / "CHANGES.md").open("a", encoding="utf-8") as stream:
        stream.write("\n")
    mend(package)

    with pytest.raises(ProofError, match=r"CHANGES\.md: the file was changed after package\.sig"):
        open_signature.verify(package, key.with_name("key.pub"))


def test_other_key_unsigned_package_and_key_of_another_kind_are_refused(package, key, tmp_path):
    with pytest.raises(ResourceError, match=r"package\.sig: the package is not signed"):
        open_signature.verify(package, key.with_name("key.pub"))
    run("sign", package, key)
    call("key", "new", "--out", str(tmp_path / "ed.pem"))
    shutil.copy(tmp_path / "ed.pem.pub", tmp_path / "ed.pub")

    with pytest.raises(RecipeError, match="not a key of the elliptic curves"):
        open_signature.sign(package, tmp_path / "ed.pem", None)
    with pytest.raises(ResourceError, match="no such file"):
        open_signature.sign(package, tmp_path / "none.pem", None)
    open_signature.place(package).write_text("{}", encoding="utf-8")
    with pytest.raises(ProofError, match="not these files, or not this key"):
        open_signature.verify(package, key.with_name("key.pub"))
    assert call("sign", str(package), "--with", "model-signing").code == 2
