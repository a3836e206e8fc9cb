"""Keys that sign: made once, kept by their owner, never printed. Ed25519 (RFC 8032).

A private key is a PKCS #8 file (PEM) that only its owner may read, its public key lies beside it
(`.pub`). A key is told apart by its fingerprint: the SHA-256 of the public key as DER, which
`openssl pkey -pubin -in FILE.pub -outform DER | sha256sum` prints too.
"""

import base64
import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from foundry.core import atomic
from foundry.core.errors import Problem, RecipeError, ResourceError
from foundry.core.language import gettext as _
from foundry.core.shortage import refused_path

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

ALGORITHM = "Ed25519"
NAME = "signing-key.pem"
PASSPHRASE = "FOUNDRY_KEY_PASSPHRASE"
MAX_BYTES = 1 << 16  # a key file has some hundred bytes
RAW_BYTES = 32  # RFC 8032, 5.1.5

Ask = Callable[[], str | None]


@dataclass(frozen=True)
class PublicKey:
    """What a signature is checked with: the 32 bytes of RFC 8032."""

    raw: bytes

    @classmethod
    def of_text(cls, text: str) -> "PublicKey":
        """The key that `text` wrote.

        Raises:
            ValueError: It is none, or not in the form that `text` writes.
        """
        raw = bytes.fromhex(text)
        if len(raw) != RAW_BYTES or PublicKey(raw).text != text:
            raise ValueError(text)
        return cls(raw)

    @property
    def text(self) -> str:
        """The key in a line, for records. Hex, since text in base64 may begin as a path does."""
        return self.raw.hex()

    @property
    def pem(self) -> bytes:
        """The key as a file, as OpenSSL writes it (SubjectPublicKeyInfo, RFC 8410)."""
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
        from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

        key = Ed25519PublicKey.from_public_bytes(self.raw)
        return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

    @property
    def fingerprint(self) -> str:
        """`sha256:` and the hash of the key as DER."""
        der = base64.b64decode(b"".join(self.pem.splitlines()[1:-1]))
        return f"sha256:{hashlib.sha256(der).hexdigest()}"

    def has_signed(self, message: bytes, signature: str) -> bool:
        """Whether the owner of this key signed `message`; `signature` is in hex."""
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

        try:
            given = bytes.fromhex(signature)
            Ed25519PublicKey.from_public_bytes(self.raw).verify(given, message)
        except (ValueError, InvalidSignature):
            return False
        return given.hex() == signature


@dataclass(frozen=True)
class PrivateKey:
    """What signs. Its `repr` does not show it."""

    _key: "Ed25519PrivateKey"

    @property
    def public(self) -> PublicKey:
        """The key that checks what this one signs."""
        return PublicKey(self._key.public_key().public_bytes_raw())

    def sign(self, message: bytes) -> str:
        """The signature of `message`, in hex."""
        return self._key.sign(message).hex()


def file() -> Path:
    """Where this user's own key is, where no other is named."""
    chosen = os.environ.get("XDG_CONFIG_HOME")
    return (Path(chosen) if chosen else Path.home() / ".config") / "foundry" / NAME


def public_file(path: Path) -> Path:
    """Where the public key of a private key's file is."""
    return path.with_name(path.name + ".pub")


def passphrase(ask: Ask) -> str | None:
    """The passphrase of the environment, else what `ask` answers."""
    return os.environ.get(PASSPHRASE) or ask()


def new(path: Path, phrase: str | None) -> PublicKey:
    """Make a key pair: `path`, which only its owner may read, and its public key beside it.

    Args:
        path: The private key's file; it must not be there, nor the other.
        phrase: What the file is encrypted with (PKCS #8, the library's best: scrypt or PBKDF2 with
            AES-256); None leaves it plain.

    Raises:
        ResourceError: One of the files is there, or cannot be written.
    """
    from cryptography.hazmat.primitives import serialization as form
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    key = Ed25519PrivateKey.generate()
    encryption: form.KeySerializationEncryption = form.NoEncryption()
    if phrase is not None:
        encryption = form.BestAvailableEncryption(phrase.encode("utf-8"))
    text = key.private_bytes(form.Encoding.PEM, form.PrivateFormat.PKCS8, encryption)
    public = PrivateKey(key).public
    files = {path: (text, 0o600), public_file(path): (public.pem, 0o644)}
    for file in files:
        if file.exists() or file.is_symlink():
            raise _is_there(file)
    for file, (content, mode) in files.items():
        try:
            atomic.write_new(file, content, mode)
        except OSError as error:
            raise _unwritable(file, error) from error
    return public


def _unwritable(path: Path, error: OSError) -> ResourceError:
    if path.exists():  # another process made it just now
        return _is_there(path)
    what = _("cannot be written ({error})").format(error=error.strerror)
    return refused_path(error) or ResourceError(Problem(str(path), what))


def _is_there(path: Path) -> ResourceError:
    what = _("is there already, and a key is never overwritten")
    return ResourceError(Problem(str(path), what, _("give another file: `--out FILE`")))


def read_private(path: Path, ask: Ask) -> PrivateKey:
    """The private key of a file.

    Args:
        path: The file.
        ask: Gives the passphrase, or None; called where the file is encrypted and the environment
            has none.

    Raises:
        RecipeError: It is no Ed25519 key, or the passphrase does not open it.
        ResourceError: It is not there, or others may read it.
    """
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    text = _content(path)
    if b"PRIVATE KEY" not in text:
        raise _no_key(path, _("holds no private key"))
    if os.name == "posix" and path.stat().st_mode & 0o077:
        what = _("others may read this private key")
        raise ResourceError(Problem(str(path), what, f"chmod 600 {path}"))
    phrase = passphrase(ask) if b"ENCRYPTED" in text else None
    if b"ENCRYPTED" in text and not phrase:
        what, fix = _("needs its passphrase"), _("set {name}").format(name=PASSPHRASE)
        raise RecipeError(Problem(str(path), what, fix))
    try:
        key = load_pem_private_key(text, None if phrase is None else phrase.encode("utf-8"))
    except Exception as error:  # OpenSSL's own errors among them; what they hold is not repeated
        said = _("the passphrase does not open it") if phrase else _("not a key file that is read")
        raise _no_key(path, said) from error
    if not isinstance(key, Ed25519PrivateKey):
        raise _no_key(path, _("not an Ed25519 key"))
    return PrivateKey(key)


def read_public(path: Path) -> PublicKey:
    """The public key of a file.

    Raises:
        RecipeError: It is none, or a private key, which is not to be handed about.
        ResourceError: It is not there.
    """
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    text = _content(path)
    if b"PRIVATE KEY" in text:
        fix = _("give the public key: {path}").format(path=public_file(path))
        raise RecipeError(Problem(str(path), _("holds a private key"), fix))
    try:
        key = load_pem_public_key(text)
    except Exception as error:
        raise _no_key(path, _("not a key file that is read")) from error
    if not isinstance(key, Ed25519PublicKey):
        raise _no_key(path, _("not an Ed25519 key"))
    return PublicKey(key.public_bytes_raw())


def read_any(path: Path, ask: Ask) -> PublicKey:
    """The public key of a file that holds it or its private key.

    Raises:
        RecipeError: It is no key, or the passphrase does not open it.
        ResourceError: It is not there, or others may read a private key.
    """
    is_private = b"PRIVATE KEY" in _content(path)
    return read_private(path, ask).public if is_private else read_public(path)


def _content(path: Path) -> bytes:
    try:
        with path.open("rb") as stream:
            return stream.read(MAX_BYTES)
    except OSError as error:
        what = _("no key here ({error})").format(error=error.strerror)
        fix = _("make one with `foundry key new`")
        raise ResourceError(Problem(str(path), what, fix)) from error


def _no_key(path: Path, what: str) -> RecipeError:
    return RecipeError(Problem(str(path), what, _("make one with `foundry key new`")))
