"""`foundry key`: make the key that signs packages, and show a key's fingerprint."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from foundry.cli.output import Json, note, print_json, verb_app, with_example
from foundry.core.errors import Problem, RecipeError
from foundry.core.language import gettext as _
from foundry.store import keys

app = verb_app(_("Make the key that signs packages, and show a key's fingerprint."))

Key = Annotated[
    Path | None,
    typer.Option(
        "--key", metavar="FILE", help=_("Your private key; yours from `foundry key new` if absent.")
    ),
]


def ask() -> str | None:
    """The passphrase of a key, from whoever sits at the terminal; None where nobody does."""
    if not sys.stdin.isatty():
        return None
    return str(typer.prompt(_("passphrase"), hide_input=True, err=True))


def own(given: Path | None) -> keys.PrivateKey:
    """The private key of an option, else the user's own."""
    return keys.read_private(given or keys.file(), ask)


@app.command(
    "new",
    help=with_example(
        _("Make a key pair; the private key stays with you and is never shown."),
        "key new --out shop.pem",
    ),
)
def new(
    out: Annotated[
        Path | None,
        typer.Option("--out", help=_("File of the private key; the public one is FILE.pub.")),
    ] = None,
    passphrase: Annotated[
        bool,
        typer.Option(
            "--passphrase",
            help=_("Ask for a passphrase; FOUNDRY_KEY_PASSPHRASE gives one without asking."),
        ),
    ] = False,
    json: Json = False,
) -> None:
    """Write both files and tell where they are."""
    path = out or keys.file()
    phrase = keys.passphrase(_chosen if passphrase else lambda: None)
    public = keys.new(path, phrase)
    if json:
        files = {"private_key_file": str(path), "public_key_file": str(keys.public_file(path))}
        print_json({**_said(public), **files, "is_encrypted": phrase is not None})
        return
    print(_("private key: {path}; keep it to yourself").format(path=path))
    print(_("public key: {path}; give it to whoever checks").format(path=keys.public_file(path)))
    print(_("fingerprint: {fingerprint}").format(fingerprint=public.fingerprint))
    if phrase is None:
        note(_("it has no passphrase: whoever can read the file can sign as you"))


def _chosen() -> str:
    if not sys.stdin.isatty():
        what, fix = _("nobody is here to be asked"), _("set {name}").format(name=keys.PASSPHRASE)
        raise RecipeError(Problem("--passphrase", what, fix))
    return str(typer.prompt(_("passphrase"), hide_input=True, confirmation_prompt=True, err=True))


@app.command(
    "show",
    help=with_example(_("Show the fingerprint of a key."), "key show shop.pem.pub"),
)
def show(
    file: Annotated[
        Path | None,
        typer.Argument(metavar="FILE", help=_("A public or private key; yours if absent.")),
    ] = None,
    json: Json = False,
) -> None:
    """Print the fingerprint and the public key, of a private key too."""
    public = keys.read_any(file or keys.file(), ask)
    if json:
        print_json(_said(public))
        return
    print(_("fingerprint: {fingerprint}").format(fingerprint=public.fingerprint))
    print(public.pem.decode("ascii").strip())


def _said(public: keys.PublicKey) -> dict[str, str]:
    return {
        "algorithm": keys.ALGORITHM,
        "fingerprint": public.fingerprint,
        "public_key": public.text,
    }
