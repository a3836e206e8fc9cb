"""A key is made once, is its owner's alone, and signs what others can check without us."""

import os
import shutil
import stat
import subprocess
from pathlib import Path

import pytest

from foundry.core.errors import RecipeError, ResourceError
from foundry.store import keys
from tests.cases import case, change


def nobody() -> None:
    """No one is at the terminal."""
    return None


@pytest.fixture
def pair(tmp_path: Path) -> Path:
    """A private key's file, its public one beside it."""
    path = tmp_path / "keys" / "shop.pem"
    keys.new(path, None)
    return path


def test_private_key_is_its_owners_alone(pair: Path):
    assert stat.S_IMODE(pair.stat().st_mode) == 0o600
    assert b"PRIVATE" not in keys.public_file(pair).read_bytes()


@pytest.mark.parametrize("name", ["shop.pem", "shop.pem.pub"])
def test_key_is_never_overwritten(pair: Path, name: str):
    other = "shop.pem.pub" if name == "shop.pem" else "shop.pem"
    (pair.parent / other).unlink()
    before = (pair.parent / name).read_bytes()

    with pytest.raises(ResourceError, match="is there already") as caught:
        keys.new(pair, None)

    assert caught.value.exit_code == 3
    assert (pair.parent / name).read_bytes() == before
    assert not (pair.parent / other).exists()


def test_file_in_the_place_of_the_keys_folder_is_named(tmp_path: Path):
    (tmp_path / "file").write_text("", encoding="utf-8")

    with pytest.raises(ResourceError, match="file: a file; a folder is needed there"):
        keys.new(tmp_path / "file" / "shop.pem", None)


def test_link_to_nowhere_is_not_written_through(tmp_path: Path):
    (tmp_path / "shop.pem").symlink_to(tmp_path / "elsewhere")

    with pytest.raises(ResourceError, match="is there already"):
        keys.new(tmp_path / "shop.pem", None)

    assert not (tmp_path / "elsewhere").exists()


def test_private_key_that_others_may_read_is_refused(pair: Path):
    pair.chmod(0o640)

    with pytest.raises(ResourceError, match="others may read") as caught:
        keys.read_private(pair, nobody)

    assert caught.value.problems[0].fix == f"chmod 600 {pair}"


@case("ed25519", {"everything is signed": change(keys.PublicKey, "has_signed", lambda *_: True)})
@pytest.mark.parametrize("wrong", ["message", "signature", "key", "form", "length"])
def test_only_what_was_signed_has_a_signature(pair: Path, wrong: str):
    key = keys.read_private(pair, nobody)
    signature, public = key.sign(b"message"), keys.read_public(keys.public_file(pair))
    assert public == key.public and public.has_signed(b"message", signature)
    flipped = ("b" if signature[0] == "a" else "a") + signature[1:]

    given = {
        "message": (public, b"massage", signature),
        "signature": (public, b"message", flipped),
        "key": (keys.PublicKey(bytes(32)), b"message", signature),
        "form": (public, b"message", signature.upper() + "\n"),
        "length": (public, b"message", signature[:-4]),
    }[wrong]

    assert not given[0].has_signed(*given[1:])


def test_passphrase_of_the_environment_opens_the_key(tmp_path: Path, monkeypatch):
    path = tmp_path / "shop.pem"
    public = keys.new(path, "一個密語")
    monkeypatch.setenv(keys.PASSPHRASE, "一個密語")

    assert b"ENCRYPTED" in path.read_bytes()
    assert keys.read_private(path, nobody).public == public


def test_passphrase_is_asked_for_and_a_wrong_one_does_not_open_the_key(tmp_path: Path):
    path = tmp_path / "shop.pem"
    public = keys.new(path, "right")

    assert keys.read_private(path, lambda: "right").public == public
    with pytest.raises(RecipeError, match="does not open it"):
        keys.read_private(path, lambda: "wrong")
    with pytest.raises(RecipeError, match="needs its passphrase"):
        keys.read_private(path, nobody)


def test_key_of_another_kind_is_refused(tmp_path: Path, pair: Path):
    from cryptography.hazmat.primitives import serialization as form
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

    other = X25519PrivateKey.generate()
    path = tmp_path / "x.pem"
    path.write_bytes(
        other.private_bytes(form.Encoding.PEM, form.PrivateFormat.PKCS8, form.NoEncryption())
    )
    path.chmod(0o600)
    (tmp_path / "text").write_text("no key", encoding="utf-8")

    for read, given, says in (
        (lambda p: keys.read_private(p, nobody), path, "not an Ed25519 key"),
        (lambda p: keys.read_private(p, nobody), tmp_path / "text", "holds no private key"),
        (keys.read_public, tmp_path / "text", "not a key file"),
        (keys.read_public, pair, "holds a private key"),
    ):
        with pytest.raises(RecipeError, match=says):
            read(given)
    with pytest.raises(ResourceError, match="no key here"):
        keys.read_public(tmp_path / "none")


def test_own_key_is_with_the_users_settings(tmp_path: Path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))

    assert keys.file() == tmp_path / "foundry" / "signing-key.pem"


@pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl here")
def test_openssl_reads_the_key_and_makes_the_same_fingerprint(pair: Path):
    command = ["openssl", "pkey", "-pubin", "-in", keys.public_file(pair), "-outform", "DER"]
    der = subprocess.run(command, capture_output=True, check=True).stdout

    printed = subprocess.run(["sha256sum"], input=der, capture_output=True, check=True).stdout
    assert f"sha256:{printed.decode().split()[0]}" == (
        keys.read_private(pair, nobody).public.fingerprint
    )


def test_nothing_prints_the_private_key(pair: Path):
    secret = "".join(pair.read_text(encoding="ascii").splitlines()[1:-1])

    assert secret not in repr(keys.read_private(pair, nobody))
    assert os.linesep not in keys.read_public(keys.public_file(pair)).text
